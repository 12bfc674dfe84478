import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../statecharts/package-root.ts';
import type { Project } from './reflection.ts';

const run = promisify(execFile);

/** Where `test/setup.sh docs` installs TypeDoc, with a separate compiler. */
const home = join(packageRoot(), '.test/typedoc');

/** Reads the exports of the entry points. Fails for a type that users meet and that is not exported. */
export async function readExports(sources: readonly string[]): Promise<Project> {
  return inFolder(async (folder) => {
    const json = join(folder, 'exports.json');
    await typedoc(folder, {
      entryPoints: sources.map((source) => join(packageRoot(), source)),
      tsconfig: join(packageRoot(), 'src/tsconfig.json'),
      json,
      disableSources: true,
      excludeExternals: true,
      excludeInternal: true,
      sort: ['source-order'],
      // Types of parameters that TypeScript infers for a handler. Users never write them.
      intentionallyNotExported: ['LaterConnection'],
      externalSymbolLinkMappings: { '@types/node': { '*': '#' } },
    });
    return JSON.parse(await readFile(json, 'utf8'));
  });
}

/** Writes a page for each module of a project, and returns them by their names. */
export async function writePages(project: Project): Promise<ReadonlyMap<string, string>> {
  return inFolder(async (folder) => {
    const json = join(folder, 'exports.json');
    const out = join(folder, 'pages');
    await writeFile(json, JSON.stringify(project));
    await typedoc(folder, {
      entryPoints: [json],
      entryPointStrategy: 'merge',
      plugin: [join(home, 'node_modules/typedoc-plugin-markdown/dist/index.js')],
      out,
      router: 'module',
      disableSources: true,
      ...{ hideBreadcrumbs: true, hidePageHeader: true },
      useHTMLAnchors: true,
      ...{
        useCodeBlocks: true,
        expandParameters: true,
        expandObjects: true,
        typePrintWidth: 10_000,
      },
      sort: ['source-order'],
      parametersFormat: 'table',
      ...{ interfacePropertiesFormat: 'table', classPropertiesFormat: 'table' },
      ...{ typeAliasPropertiesFormat: 'table', typeDeclarationFormat: 'table' },
      tableColumnSettings: {
        ...{ hideDefaults: true, hideInherited: true, hideModifiers: true, hideOverrides: true },
        ...{ hideSources: true, hideValues: true },
      },
    });
    const names = (await readdir(out)).filter((name) => name !== 'README.md');
    const pages = names.map(async (name) => {
      return [name.replace(/\.md$/, ''), await readFile(join(out, name), 'utf8')] as const;
    });
    return new Map(await Promise.all(pages));
  });
}

/** Runs TypeDoc. A warning is an error. */
async function typedoc(folder: string, options: object): Promise<void> {
  const file = join(folder, 'typedoc.json');
  const common = { readme: 'none', logLevel: 'Warn', treatWarningsAsErrors: true };
  await writeFile(file, JSON.stringify({ ...common, ...options }));
  const bin = join(home, 'node_modules/typedoc/bin/typedoc');
  try {
    await run(process.execPath, [bin, '--options', file], { cwd: folder });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw stderr ? new Error(`TypeDoc: ${stderr}`) : error;
  }
}

async function inFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'mooring-typedoc-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
