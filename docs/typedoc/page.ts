import type { Entry } from './simplify.ts';
import { wrapped } from './wrap.ts';

/** A heading and the content below it, up to the next heading. */
interface Section {
  readonly level: number;
  readonly title: string;
  /** The anchor that TypeDoc gives the heading. */
  readonly mark: string;
  readonly body: string;
}

/** The heading of exports that another entry point describes. */
const REFERENCES = 'Also exported';

/** Headings whose content a comment, or code, already contains. */
const dropped = new Set([
  ...['Parameters', 'Type Parameters', 'Returns', 'Overrides', 'Inherited from', 'Extended by'],
  ...['Implementation of', 'Indexable'],
]);

/** Headings without information about the content below them. */
const silent = new Set([
  ...['Properties', 'Methods', 'Constructors', 'Constructor', 'Call Signature', 'Type Declaration'],
]);

/** Pages of TypeDoc, with fewer headings, a table of contents and the anchors that code hosts make. */
export function apiPages(
  written: ReadonlyMap<string, string>,
  entries: readonly Entry[],
  types: readonly string[],
): readonly string[] {
  const pages = entries.map((entry) => {
    const [head, ...rest] = sectionsOf(written.get(entry.page) ?? '');
    if (head === undefined) throw new Error(`TypeDoc wrote nothing about ${entry.source}`);
    const tidied = joinReferences(rest.flatMap(tidy));
    const sections = [{ ...head, title: entry.title }, ...withDeclarations(tidied, types)];
    return { entry, sections };
  });
  const anchors = new Map(pages.flatMap(({ entry, sections }) => anchorsOf(entry.page, sections)));
  return withoutUnusedMarks(
    pages.map(({ entry, sections }) => linked(pageOf(entry, sections), entry.page, anchors)),
  );
}

function pageOf({ source, title }: Entry, sections: readonly Section[]): string {
  const [{ body: summary = '' } = {}, ...rest] = sections;
  const content = rest.flatMap(({ level, title, body }) => {
    return [level === 0 ? '' : `${'#'.repeat(level)} ${title}`, body.trim()];
  });
  const head = `<!-- Made by \`npm run docs\` from ${source} and the comments there; change those, not this. -->`;
  const parts = [head, `# ${title}`, summary.trim(), contentsOf(rest), ...content];
  return `${parts.filter(Boolean).join('\n\n')}\n`;
}

/** The parts of a page, each with its heading. Lines of code are no headings. */
function sectionsOf(page: string): Section[] {
  const plain = page
    .replaceAll(/^( *```)[\s\S]*?^ *```$/gm, (code) => code.replaceAll('#', '\0'))
    .replaceAll(/^\*\*\*$/gm, '')
    .replaceAll(/^<a id="([^"]+)"><\/a>\n\n(#+ .*)$/gm, '$2 <$1>');
  return plain
    .split(/^(?=#+ )/m)
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const heading = /^(#+) (.*?)(?: <([^>]+)>)?\n([\s\S]*)$/.exec(part) ?? [];
      const [, marks = '', title = '', mark = '', body = ''] = heading;
      return { level: marks.length, title, mark, body: body.replaceAll('\0', '#') };
    });
}

function tidy({ level, title, mark, body }: Section): Section[] {
  if (dropped.has(title)) return [];
  const shown = signatures(tables(body));
  if (silent.has(title)) return [{ level: 0, title: '', mark, body: shown }];
  if (title === 'Extends') return [{ level: 0, title: '', mark, body: extended(shown) }];
  return [{ level: Math.min(level, 4), title: title.replace('()?', '()'), mark, body: shown }];
}

/** Shows types as they are declared, instead of TypeDoc's version and of a table of their parts. */
function withDeclarations(sections: readonly Section[], types: readonly string[]): Section[] {
  const codes = new Map(types.map((code) => [/\w+(?=[ <=])/.exec(code.slice(5))?.[0], code]));
  let code: string | undefined;
  return sections.flatMap((section) => {
    const { level, title, body } = section;
    if (level === 2) code = undefined;
    if (level === 3) code = codes.get(title);
    if (code === undefined) return [section];
    const block = `\`\`\`ts\n${code}\n\`\`\``;
    if (level !== 3) return [];
    return [{ ...section, body: body.replace(/^```ts\n[\s\S]*?\n```$/m, () => block) }];
  });
}

/** Tables with empty cells instead of dashes, and no table without information. */
function tables(body: string): string {
  return body.replaceAll(/(?<=^\n|\n\n)\|.*(?:\n\|.*)*/g, (table) => {
    const [heading = '', , ...rows] = table.split('\n');
    const isSilent = !heading.includes('Description') || rows.every((row) => row.endsWith('| - |'));
    return isSilent
      ? ''
      : table
          .replaceAll('| - |', '| |')
          .replaceAll(/(?<=\| |< |=> |\( )\\\| /g, '')
          .replaceAll('\\< ', '\\<');
  });
}

function extended(body: string): string {
  const bases = body.match(/^- .*$/gm) ?? [];
  return `Extends ${bases.map((base) => base.slice(2)).join(', ')}.`;
}

/** Signatures and types that are too long for a line. Examples stay unchanged. */
function signatures(body: string): string {
  return body
    .replace(/^```ts\nconst \w+: \{[\s\S]*?\n\};\n```\n/m, '')
    .replaceAll(/(?<=^```ts\n)[\s\S]*?(?=\n```$)/gm, (code) => wrapped(joined(code)));
}

/** A signature that TypeDoc has wrapped, on one line. */
function joined(code: string): string {
  const short = code.replaceAll(/\{\n +([^{};\n]+);\n *\}/g, '{ $1 }');
  if (!/^.*(?:\(\n {3}|: \n {2}\| )/.test(short)) return short;
  return short
    .replace(/\(\n {3}/, '(')
    .replaceAll(/: \n {2}\| /g, ': ')
    .replaceAll(/\n(?: {2})?\| /g, ' | ')
    .replaceAll(/, \n {3}/g, ', ')
    .replace(/\n\)/, ')');
}

/** Re-exports of an entry point become a list of links. */
function joinReferences(sections: readonly Section[]): readonly Section[] {
  const at = sections.findIndex(({ title }) => title === REFERENCES);
  if (at < 0) return sections;
  const links = sections.slice(at + 1).map(({ body }) => {
    const [, name, target] = /\[(.*)\]\((.*)\)/.exec(body) ?? [];
    return `[\`${name}\`](${target})`;
  });
  const body = links.join(',\n');
  return [...sections.slice(0, at), { level: 2, title: REFERENCES, mark: '', body }];
}

/** The names on a page by their kind, as links. */
function contentsOf(sections: readonly Section[]): string {
  const groups: { title: string; links: string[] }[] = [];
  for (const { level, title, mark } of sections) {
    if (level === 2) groups.push({ title, links: [] });
    if (level === 3) groups.at(-1)?.links.push(`[\`${title.replace('()', '')}\`](#${mark})`);
  }
  return groups
    .filter(({ title }) => title !== REFERENCES)
    .map(({ title, links }) => `- **${title}**: ${links.join(',\n  ')}`)
    .join('\n');
}

/** The anchors of TypeDoc, and the corresponding anchors of code hosts. */
function anchorsOf(page: string, sections: readonly Section[]): [from: string, to: string][] {
  const counts = new Map<string, number>();
  return sections
    .filter(({ level }) => level > 0)
    .map(({ title, mark }) => {
      const plain = title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-');
      const count = counts.get(plain) ?? 0;
      counts.set(plain, count + 1);
      return [`${page}#${mark}`, count === 0 ? plain : `${plain}-${count}`];
    });
}

function linked(text: string, page: string, anchors: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\]\(([\w-]*)(\.md)?#([^)]+)\)/g, (_, to: string, end = '', mark) => {
    const anchor = anchors.get(`${to || page}#${mark}`) ?? mark;
    return `](${to}${end}#${anchor})`;
  });
}

/** Removes the ids in tables that no page links to. */
function withoutUnusedMarks(pages: readonly string[]): readonly string[] {
  const used = new Set(pages.flatMap((page) => page.match(/(?<=\]\([^)\s]*#)[^)]+/g) ?? []));
  return pages.map((page) =>
    page.replaceAll(/<a id="([^"]+)"><\/a> /g, (mark, id) => (used.has(id) ? mark : '')),
  );
}
