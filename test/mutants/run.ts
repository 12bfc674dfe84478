import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../package/repository.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { type Finding, mutantsPage, PAGE } from './page.ts';
import { Planting } from './planting.ts';
import { firstFailure, type Suite, suites } from './suites.ts';

// `npm run mutants`: plants every known fault and checks which suites find it. `-- --only NAME` plants those
// whose names contain NAME, and leaves the other rows of the page unchanged. It can be repeated.

const { only } = parseArgs({
  options: { only: { type: 'string', multiple: true, default: [''] } },
}).values;
const chosen = mutants.filter(({ name }) => only.some((part) => name.includes(part)));
const planting = new Planting();
try {
  await assertHealthy();
  const findings: Finding[] = [];
  for (const mutant of chosen) findings.push(await hunt(mutant));
  writePage(findings);
  const survivors = findings.filter(({ foundBy }) => foundBy.size === 0);
  console.log(`\n${chosen.length} faults planted, ${chosen.length - survivors.length} found`);
  process.exitCode = survivors.length === 0 && chosen.length > 0 ? 0 : 1;
} finally {
  planting.remove();
}

/** Every suite must pass without a fault, or the following results would mean nothing. */
async function assertHealthy(): Promise<void> {
  planting.compile();
  for (const suite of suites.filter((each) => !isLastResort(each))) {
    const failure = await firstFailure(suite, planting.folder);
    if (failure !== undefined) throw new Error(`${suite.name} fails without a fault: ${failure}`);
    console.log(`${suite.name}: passes without a fault`);
  }
}

async function hunt(mutant: Mutant): Promise<Finding> {
  const takeOut = planting.plant(mutant);
  const foundBy = new Map<string, string>();
  for (const suite of suites) {
    if (isLastResort(suite) && foundBy.size > 0) continue;
    const failure = await firstFailure(suite, planting.folder);
    if (failure !== undefined) foundBy.set(suite.name, failure);
  }
  takeOut();
  console.log(`\n${foundBy.size > 0 ? '●' : '○ NOT FOUND:'} ${mutant.name}`);
  for (const [suite, test] of foundBy) console.log(`    ${suite}: ${test}`);
  return { mutant, foundBy };
}

function writePage(findings: readonly Finding[]): void {
  const page = join(root, PAGE);
  const before = existsSync(page) ? readFileSync(page, 'utf8') : '';
  writeFileSync(page, mutantsPage(findings, before));
  execFileSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', PAGE], { cwd: root });
}

/** This suite takes minutes, so it runs only for faults that the others miss. */
function isLastResort({ name }: Suite): boolean {
  return name === 'integration';
}
