import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of the sources, wherever this file itself runs. */
export function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package-lock.json'))) folder = dirname(folder);
  return folder;
}
