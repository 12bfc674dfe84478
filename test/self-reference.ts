// Lets compiled examples import `mooring` by its name: writes a package.json beside the compiled sources, whose exports are
// those of the package, with the compiled sources in place of the build.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './package/repository.ts';

const { name, type, exports } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
  (_key, value: unknown) => (typeof value === 'string' ? value.replace('./dist/', './') : value),
);
const compiled = join(import.meta.dirname, '..');
writeFileSync(join(compiled, 'package.json'), JSON.stringify({ name, type, exports }, null, 2));
