import { MooringError } from '../core/errors.ts';

/** Which paths a supervisor serves: one, several, or those for which a function returns `true`. */
export type UpgradePath = string | readonly string[] | ((path: string) => boolean);

/** What looks like a pattern of a router. */
const PATTERN = /[*{}]|\/:/;

/**
 * Checks the option `path` of `attach`.
 *
 * @throws MooringError `invalid-options`
 */
export function checkUpgradePath(path: unknown): asserts path is UpgradePath {
  if (typeof path === 'function') return;
  const paths: readonly unknown[] = Array.isArray(path) ? path : [path];
  if (paths.length === 0) throw invalid('must name at least one path');
  for (const each of paths) checkExact(each);
}

function checkExact(path: unknown): void {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw invalid("must be a path such as '/ws', a list of paths, or a function (path) => boolean");
  }
  if (/[?#]/.test(path)) throw invalid(`'${path}' must not have a query or a fragment`);
  if (PATTERN.test(path)) {
    throw invalid(
      `'${path}' looks like a pattern, and paths are compared as they are; pass a function instead, (path) => boolean`,
    );
  }
}

function invalid(problem: string): MooringError {
  return new MooringError('invalid-options', `options.path: ${problem}`);
}

/** How closely a rule names the paths that it takes: a lower rank goes first. */
export function rankOf(path: UpgradePath | undefined): number {
  if (path === undefined) return 2;
  return typeof path === 'function' ? 1 : 0;
}

/** Whether a rule names a path; a function is asked elsewhere, behind a guard. */
function namesPath(rule: string | readonly string[], path: string): boolean {
  return typeof rule === 'string' ? rule === path : rule.includes(path);
}

/** Whether a rule takes a path; without a rule every path is taken. @param ask - calls a function of the application. */
export function takesPath(
  rule: UpgradePath | undefined,
  path: string,
  ask: (call: () => unknown) => boolean,
): boolean {
  if (rule === undefined) return true;
  return typeof rule === 'function' ? ask(() => rule(path)) : namesPath(rule, path);
}

/** A path that two rules both name, or `undefined`. What a function takes is not known before it is asked. */
export function commonPath(
  one: UpgradePath | undefined,
  other: UpgradePath | undefined,
): string | undefined {
  if (one === undefined || other === undefined) return one === other ? 'every path' : undefined;
  if (typeof one === 'function' || typeof other === 'function') {
    return one === other ? 'the paths of that function' : undefined;
  }
  const names = typeof one === 'string' ? [one] : one;
  return names.find((name) => namesPath(other, name));
}
