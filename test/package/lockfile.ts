import { read } from './repository.ts';

/** A package as a lockfile describes it. */
export interface Locked {
  readonly version: string;
  readonly dev?: true;
  readonly resolved?: string;
  readonly dependencies?: object;
}

/** The packages of a lockfile by their folders. The empty one is the package itself. */
export function locksOf(path: string): [string, Locked][] {
  return Object.entries<Locked>(JSON.parse(read(path)).packages);
}
