import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { filesIn, read, root, withoutComments } from './repository.ts';

/** The entry points that package.json names, with the files that the build makes of them. */
export const exported = Object.entries<unknown>(JSON.parse(read('package.json')).exports).filter(
  ([subpath]) => subpath !== './package.json',
);

/** `./x` is `src/x/index.ts`, `src/bus/x/index.ts` or `src/x.ts`. The charts and the main entry are elsewhere. */
export function entryOf(subpath: string): string | undefined {
  if (subpath === '.') return 'src/index.ts';
  const path = subpath.slice(2);
  const places = [path, `src/${path}`, `src/bus/${path}`].map((folder) => `${folder}/index.ts`);
  return [...places, `src/${path}.ts`].find((file) => existsSync(join(root, file)));
}

/** The replacement of an entry point in a page. */
export function browserEntryOf(entry: string): string | undefined {
  const browser = entry.replace(/index\.ts$/, 'browser.ts');
  return browser !== entry && filesIn('src', '.ts').includes(browser) ? browser : undefined;
}

/** The statements of a file, each on one line, without comments. */
export function statements(file: string): string[] {
  return withoutComments(read(file))
    .split(/(?<=;)/)
    .map((statement) => statement.trim().replaceAll(/\s+/g, ' '))
    .filter(Boolean);
}

/** What an entry point exports. */
export interface ExportedSymbol {
  /** The file that defines it, according to the text of the entry file. */
  readonly file: string;
  readonly name: string;
  /** The name under which it is exported. */
  readonly as: string;
}

/** What an entry file exports. */
export function symbolsOf(entry: string): ExportedSymbol[] {
  return statements(entry).flatMap((text) => {
    const [, names, from = ''] = /^export (?:type )?(\*|\{.*\}) from '([^']+)'/.exec(text) ?? [];
    const file = join(dirname(entry), from);
    const listed = names === '*' ? definedIn(file) : (names?.match(/\w+(?: as \w+)?/g) ?? []);
    return listed.map((each) => {
      const [name = '', as = name] = each.split(' as ');
      return { file, name, as };
    });
  });
}

/** How a definition begins, as a part of a regular expression. */
export const DEFINITION = 'export (?:abstract )?(?:async )?(?:const|function|class|interface|type)';

function definedIn(file: string): string[] {
  const definitions = withoutComments(read(file)).matchAll(
    new RegExp(`^${DEFINITION} (\\w+)`, 'gm'),
  );
  return [...definitions].map(([, name = '']) => name);
}
