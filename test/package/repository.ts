import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder that everything below is relative to, wherever the compiled test runs. */
export const root = rootAbove(import.meta.dirname);

function rootAbove(folder: string): string {
  return existsSync(join(folder, 'package-lock.json')) ? folder : rootAbove(dirname(folder));
}

/** The conditions of hosts with a WebSocket of their own, and without the modules of Node.js. */
export const pageConditions = [
  'browser',
  'worker',
  'workerd',
  'edge-light',
  'deno',
  'react-native',
] as const;

/** Reads one file of the repository. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

const ignored = new Set(['.git', ...readLines('.gitignore').map((line) => line.replace('/', ''))]);

function readLines(path: string): string[] {
  return read(path).split('\n').filter(Boolean);
}

/** Names directly in a folder, without what is installed or built. */
export function namesIn(folder: string): string[] {
  return readdirSync(join(root, folder)).filter((name) => !ignored.has(name));
}

/** Every file below a folder with this ending, as paths from the root. */
export function filesIn(folder: string, end = ''): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !ignored.has(name))
    .flatMap((entry) => {
      const path = folder === '.' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return filesIn(path, end);
      return path.endsWith(end) ? [path] : [];
    })
    .sort();
}

/** TypeScript without its comments. Strings and line breaks remain. */
export function withoutComments(code: string): string {
  const tokens =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
  return code.replaceAll(tokens, (token) =>
    token.startsWith('/') ? token.replaceAll(/[^\n]/g, '') : token,
  );
}

/** The source text of an exported type with its comments, wherever it is declared. */
export function declarationOf(name: string): string {
  const forms = `interface ${name}\\b[\\s\\S]*?\\n\\}|type ${name}\\b[\\s\\S]*?;\\n`;
  const declaration = new RegExp(`^export (?:${forms})`, 'm');
  for (const file of filesIn('src', '.ts')) {
    const [found] = declaration.exec(read(file)) ?? [];
    if (found !== undefined) return found;
  }
  throw new Error(`nothing declares ${name}`);
}

/** The members of a union of string literals, as the source text declares it. */
export function unionMembers(name: string): string[] {
  const members = withoutComments(declarationOf(name)).matchAll(/'([^']+)'/g);
  return [...members].map(([, member = '']) => member);
}

/** The members that an interface declares itself, as the source text declares it. */
export function interfaceMembers(name: string): string[] {
  const members = withoutComments(declarationOf(name)).matchAll(
    /^ {2}(?:readonly )?(\w+)\??[:(<]/gm,
  );
  return [...members].map(([, member = '']) => member);
}

/** A table row of a page: its cells by the heading of their column, without code marks. A link becomes its text. */
export type Row = Readonly<Record<string, string>>;

/** The rows of every table in the section with this heading, or of the whole page without one. */
export function tableRows(page: string, heading?: string): Row[] {
  const text = heading === undefined ? page : section(page, heading);
  const rows: Row[] = [];
  let headings: string[] | undefined;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) headings = undefined;
    else if (headings === undefined) headings = cells(line);
    else if (!/^[|\s:-]+$/.test(line)) rows.push(rowOf(headings, cells(line)));
  }
  return rows;
}

/** The text of the section with this heading, up to the next heading. */
export function section(page: string, heading: string): string {
  const [, text] = page.split(new RegExp(`^#+ ${heading}$`, 'm'));
  if (text === undefined) throw new Error(`no section ${heading}`);
  return text.split(/^#/m)[0] ?? '';
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) =>
      cell
        .trim()
        .replaceAll('`', '')
        .replace(/^\[([^\]]*)\]\([^)]*\)$/, '$1'),
    );
}

function rowOf(headings: readonly string[], values: readonly string[]): Row {
  return Object.fromEntries(headings.map((heading, column) => [heading, values[column] ?? '']));
}
