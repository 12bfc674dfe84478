import { read } from '../package/repository.ts';

/** The version of an installed package, or of this one. */
export function versionOf(name: string): string {
  const manifest = name === 'mooring' ? 'package.json' : `node_modules/${name}/package.json`;
  return JSON.parse(read(manifest)).version;
}
