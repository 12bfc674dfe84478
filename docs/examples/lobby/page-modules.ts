import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join, posix } from 'node:path';
import { packageRoot } from '../../statecharts/package-root.ts';

/** The folder of a package, and the module that its name refers to. */
interface ModulePackage {
  readonly folder: string;
  readonly entry: string;
}

/** The packages that the page may import by name. Node.js would resolve them to other files than a browser needs. */
const packages: Readonly<Record<string, ModulePackage>> = {
  'mooring/client': { folder: '.test', entry: 'src/client/browser.js' },
  rxjs: { folder: 'node_modules/rxjs/dist/esm', entry: 'index.js' },
  tslib: { folder: 'node_modules/tslib', entry: 'tslib.es6.mjs' },
};

/** A static import or a re-export. An import that cannot be resolved fails when the server starts, not in the page. */
const IMPORT = /^(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*['"]([^'"]+)['"]/gm;
const HASH_LENGTH = 12;
const RXJS = 'rxjs';

interface Module {
  readonly path: string;
  readonly text: string;
}

/** The modules that the page imports from packages. */
export interface PageModules {
  /** The import map, as JSON. */
  readonly importMap: string;
  /** Each module by its URL path, which contains a hash of all modules. */
  readonly bodies: ReadonlyMap<string, Buffer>;
}

/**
 * Reads the browser build of `mooring/client` and everything that it imports, module by module.
 *
 * Only modules that it reaches are served: not ws, not zod and no server code.
 */
export async function readPageModules(): Promise<PageModules> {
  const texts = new Map<string, string>();
  await follow(entryOf('mooring/client'), texts);
  const path = entryOf(RXJS);
  await add({ path, text: linesImported(await read(path), texts.values()) }, texts);
  const hash = createHash('sha256');
  for (const text of texts.values()) hash.update(text);
  const base = `/modules/${hash.digest('hex').slice(0, HASH_LENGTH)}/`;
  const imports = Object.keys(packages)
    .filter((name) => texts.has(entryOf(name)))
    .map((name) => [name, base + entryOf(name)]);
  return {
    importMap: JSON.stringify({ imports: Object.fromEntries(imports) }),
    bodies: new Map(Array.from(texts, ([path, text]) => [base + path, Buffer.from(text)])),
  };
}

async function follow(path: string, texts: Map<string, string>): Promise<void> {
  if (!texts.has(path)) await add({ path, text: await read(path) }, texts);
}

async function add({ path, text }: Module, texts: Map<string, string>): Promise<void> {
  texts.set(path, text);
  for (const [, name = ''] of text.matchAll(IMPORT)) {
    if (name.startsWith('.')) await follow(posix.join(posix.dirname(path), name), texts);
    else if (name !== RXJS) await follow(entryOf(name), texts);
  }
}

/** The entry of RxJS loads more than 220 modules. Keeps only the re-exports that are in use. */
function linesImported(entry: string, texts: Iterable<string>): string {
  const imports = Array.from(texts, (text) => /^import \{[^}]*\} from 'rxjs'/m.exec(text)?.[0]);
  const wanted = new Set(imports.flatMap(namesIn));
  return entry
    .split('\n')
    .filter((line) => namesIn(line).some((name) => wanted.has(name)))
    .join('\n');
}

/** The names between the braces of an import or a re-export. */
function namesIn(statement = ''): readonly string[] {
  return /\{([^}]*)\}/.exec(statement)?.[1]?.match(/\w+/g) ?? [];
}

function read(path: string): Promise<string> {
  return readFile(fileOf(path), 'utf8');
}

function entryOf(name: string): string {
  const found = packages[name];
  if (found === undefined)
    throw new Error(`the page imports '${name}', which is not one of its packages`);
  return posix.join(name, found.entry);
}

function fileOf(path: string): string {
  for (const [name, { folder }] of Object.entries(packages)) {
    // RxJS imports its modules without an extension.
    const extension = extname(path) === '' ? '.js' : '';
    if (path.startsWith(`${name}/`)) {
      return join(packageRoot(), folder, path.slice(name.length) + extension);
    }
  }
  throw new Error(`no package of the page contains '${path}'`);
}
