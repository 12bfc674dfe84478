import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from './package-root.ts';

/** The meaning of something, by its name. */
export type Meanings = ReadonlyMap<string, string>;

/** The orders of an interface with their doc comments. @throws Error when one has none. */
export function orderMeanings({ name, source }: { name: string; source: string }): Meanings {
  const code = readSource(source);
  const [, body = ''] =
    new RegExp(`^export interface ${name} \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(code) ?? [];
  const documented = body.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(\w+)\(/g);
  const meanings = new Map(
    [...documented].map(([, text = '', order = '']) => [order, prose(text)]),
  );
  const orders = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, order = '']) => order);
  const silent = orders.filter((order) => !meanings.has(order));
  if (orders.length === 0) throw new Error(`${source} has no orders in ${name}`);
  if (silent.length > 0)
    throw new Error(`${name} does not say what these mean: ${silent.join(', ')}`);
  return meanings;
}

/** The paragraphs of the doc comment of the machine in a source. @throws Error when there is none. */
export function machineStory(source: string): readonly string[] {
  const found = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport const \w+Machine = /.exec(
    readSource(source),
  );
  if (found?.[1] === undefined) throw new Error(`${source} says nothing about its machine`);
  return found[1]
    .split(/^\s*\*\s*$/m)
    .map(prose)
    .filter(Boolean);
}

/** A doc comment as running text; `{@link Name}` becomes the name. */
function prose(comment: string): string {
  return comment
    .replaceAll(/^\s*\*/gm, '')
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function readSource(path: string): string {
  return readFileSync(join(packageRoot(), path), 'utf8');
}
