// Leads every library into every situation and shows side by side what each reports to its user.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../package/repository.ts';
import { type Observation, observe } from './observe.ts';
import { comparisonPage, PAGE } from './page.ts';
import { situations } from './situations.ts';
import { subjects } from './subjects/index.ts';
import { sideBySide } from './terminal.ts';
import { versionOf } from './versions.ts';

/** Where the output is not a terminal: wide enough for five columns. */
const COLUMNS = 160;

const { write } = parseArgs({ options: { write: { type: 'boolean', default: false } } }).values;

// One after the other: an uncaught exception does not reveal which library threw it.
const observations: Observation[] = [];
for (const situation of situations) {
  console.error(`${situation.name} …`);
  for (const subject of subjects) observations.push(await observe(subject, situation));
}

const comparison = {
  subjects,
  situations,
  observations,
  versions: Object.fromEntries(subjects.map(({ name }) => [name, versionOf(name)])),
  node: process.versions.node,
};
if (write) writeFileSync(join(root, PAGE), comparisonPage(comparison));
else console.log(sideBySide(comparison, process.stdout.columns ?? COLUMNS));

// Libraries that wait for their next attempt would keep the process alive for a minute.
process.exit();
