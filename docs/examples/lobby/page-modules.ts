import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname, join, posix } from 'node:path';
import { packageRoot } from '../../statecharts/package-root.ts';

/** The folders of the packages that the page loads modules from. */
const folders: Readonly<Record<string, string>> = {
  mooring: '.test',
  rxjs: 'node_modules/rxjs/dist/esm',
};

/** The modules that the page may import by name. Node.js would resolve the names to other files than a browser needs. */
const entries: Readonly<Record<string, string>> = {
  'mooring/client': 'mooring/src/client/browser.js',
  'rxjs/internal/Observable': 'rxjs/internal/Observable',
};

/** A static import or a re-export. An import that cannot be resolved fails when the server starts, not in the page. */
const IMPORT = /^(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*['"]([^'"]+)['"]/gm;
const HASH_LENGTH = 12;

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
  const hash = createHash('sha256');
  for (const text of texts.values()) hash.update(text);
  const base = `/modules/${hash.digest('hex').slice(0, HASH_LENGTH)}/`;
  const imports = Object.entries(entries).map(([name, path]) => [name, base + path]);
  return {
    importMap: JSON.stringify({ imports: Object.fromEntries(imports) }),
    bodies: new Map(Array.from(texts, ([path, text]) => [base + path, Buffer.from(text)])),
  };
}

async function follow(path: string, texts: Map<string, string>): Promise<void> {
  if (texts.has(path)) return;
  const text = await read(path);
  texts.set(path, text);
  for (const [, name = ''] of text.matchAll(IMPORT)) {
    const isRelative = name.startsWith('.');
    await follow(isRelative ? posix.join(posix.dirname(path), name) : entryOf(name), texts);
  }
}

function read(path: string): Promise<string> {
  return readFile(fileOf(path), 'utf8');
}

function entryOf(name: string): string {
  const entry = entries[name];
  if (entry === undefined)
    throw new Error(`the page imports '${name}', which is not one of its modules`);
  return entry;
}

function fileOf(path: string): string {
  const [name = '', ...rest] = path.split('/');
  const folder = folders[name];
  if (folder === undefined) throw new Error(`no package of the page contains '${path}'`);
  // RxJS imports its modules without an extension.
  const extension = extname(path) === '' ? '.js' : '';
  return join(packageRoot(), folder, rest.join('/') + extension);
}
