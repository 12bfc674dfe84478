import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../statecharts/package-root.ts';
import { Kind, type Project } from './reflection.ts';

/**
 * Each exported type as the sources declare it, with its comments. TypeDoc would show the version of the
 * compiler.
 */
export function declaredTypes(project: Project): readonly string[] {
  const exported = (project.children ?? []).flatMap(({ children = [] }) => children);
  const types = exported.filter(({ kind }) => kind === Kind.TypeAlias);
  return types.map(({ id, name }) => {
    const place = project.symbolIdMap[id];
    if (place === undefined) throw new Error(`TypeDoc does not say where ${name} is`);
    return declaration(place.packagePath, place.qualifiedName);
  });
}

function declaration(path: string, name: string): string {
  const code = readFileSync(join(packageRoot(), path), 'utf8');
  const [, start = ''] = code.split(new RegExp(`^(?:export )?(?=type ${name}\\b)`, 'm'));
  // The first semicolon outside brackets and comments. The end of an arrow is not a bracket.
  let depth = 0;
  for (const { 0: found, index } of start.matchAll(
    /\/\*[\s\S]*?\*\/|\/\/.*|=>|[([{<]|[)\]}>]|;/g,
  )) {
    if (found === ';' && depth === 0) return withoutLinter(start.slice(0, index + 1));
    if (found.length === 1 && found !== ';') depth += '([{<'.includes(found) ? 1 : -1;
  }
  throw new Error(`${path} does not declare the type ${name}`);
}

function withoutLinter(code: string): string {
  return code.replaceAll(/\/\/ biome-ignore.*\n\s*/g, '');
}
