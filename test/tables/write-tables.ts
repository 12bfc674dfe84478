import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../package/repository.ts';
import { charts } from './charts.ts';
import { staleTables, tableFile, tableSource } from './table-source.ts';

// `npm run tables`: writes the table of each machine to src/chart/tables/.
// `-- --check` writes nothing, and fails when a table is stale.

const { check } = parseArgs({ options: { check: { type: 'boolean', default: false } } }).values;
if (check) {
  const stale = staleTables();
  for (const file of stale) console.error(`${file} is stale: run npm run tables`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  const files = charts.map(tableFile);
  for (const chart of charts) writeFileSync(join(root, tableFile(chart)), tableSource(chart));
  execFileSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', ...files], {
    cwd: root,
  });
}
