import type { GeneratedFile } from '../statecharts/files.ts';
import { optionsSchema } from './options-schema.ts';
import { apiPages } from './page.ts';
import { type Project, plainText } from './reflection.ts';
import { type Entry, simplify } from './simplify.ts';
import { declaredTypes } from './source.ts';
import { readExports, writePages } from './typedoc.ts';

/** Every entry point, in order: the first of several that export the same thing describes it. */
export const entries: readonly Entry[] = [
  { source: 'src/index.ts', module: 'src', title: 'mooring', page: 'mooring' },
  { source: 'src/client/index.ts', module: 'src/client', title: 'mooring/client', page: 'client' },
  {
    source: 'src/client/browser.ts',
    module: 'src/client/browser',
    title: 'mooring/client in a page',
    page: 'client-in-a-page',
  },
  {
    source: 'src/client/inspect.ts',
    module: 'src/client/inspect',
    title: 'mooring/client/inspect',
    page: 'client-inspect',
  },
  { source: 'src/bus/nats/index.ts', module: 'src/bus/nats', title: 'mooring/nats', page: 'nats' },
  {
    source: 'machines/index.ts',
    module: 'machines',
    title: 'mooring/machines',
    page: 'machines',
  },
];

/** Every file that is made from the comments in the sources. */
export async function apiFiles(): Promise<readonly GeneratedFile[]> {
  const project = await readExports(entries.map(({ source }) => source));
  const types = declaredTypes(project);
  const schema = `${JSON.stringify(optionsSchema(project), null, 2)}\n`;
  simplify(project, entries);
  const pages = apiPages(await writePages(project), entries, types);
  const files = pages.map((text, index) => ({ path: pathOf(entries[index]), text }));
  return [
    { path: 'docs/reference/options.schema.json', text: schema },
    { path: `${FOLDER}/README.md`, text: indexPage(project) },
    ...files,
  ];
}

const FOLDER = 'docs/reference/api';

function pathOf(entry: Entry | undefined): string {
  return `${FOLDER}/${entry?.page}.md`;
}

/** The page of the folder: the purpose of each entry point. */
function indexPage(project: Project): string {
  const summaries = new Map(
    (project.children ?? []).map(({ name, comment }) => [name, plainText(comment?.summary)]),
  );
  const rows = entries.map(({ page, title }) => {
    return `- [${title}](${page}.md): ${summaries.get(page)?.replaceAll(/\s+/g, ' ')}`;
  });
  return `<!-- Made by \`npm run docs\`; change docs/typedoc/files.ts, not this. -->

# API reference

This reference lists everything that the package exports. It is made from the comments in the sources. The page of an entry point
leaves out what an earlier page describes. The [guide](../../guide/embedding.md) shows how to use the exports, and
[options](../options.md) lists every option with what happens at its limit.

${rows.join('\n')}
`;
}
