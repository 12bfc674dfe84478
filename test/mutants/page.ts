import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { suites } from './suites.ts';

/** A mutant and the suites that found it, each with the name of its first test that failed. */
export interface Finding {
  readonly mutant: Mutant;
  readonly foundBy: ReadonlyMap<string, string>;
}

/** The path of the page, from the root. */
export const PAGE = 'docs/reference/mutants.md';

/** A row of the page: the name of a fault, what it does, and a mark for each suite that found it. */
type Row = readonly string[];

/** Writes the page that shows which suite finds which fault. Rows that were not run now stay unchanged. */
export function mutantsPage(findings: readonly Finding[], before = ''): string {
  const names = suites.map(({ name }) => name);
  const rows = new Map(rowsOf(before).map((row) => [row[0], row]));
  for (const finding of findings) rows.set(finding.mutant.name, rowFor(finding, names));
  const listed = mutants
    .flatMap(({ name }) => [rows.get(name) ?? []])
    .filter(({ length }) => length);
  return `# Planted faults

A test that cannot fail proves nothing. \`npm run mutants\` plants the faults below in a copy of the code, one
at a time, and runs the suites against it. Each row shows the result of the last run with this fault.

- **charts**: every edge and every pair of edges of the statecharts, on virtual time
- **unit**: one class at a time
- **simulation**: seeded schedules with fake sockets, on virtual time
- **real sockets**: every edge of the connection chart, accepted and dialed, through a proxy that breaks things
- **integration**: the whole library on real sockets; runs only for faults that no other suite has found

| Fault | What it does | ${names.join(' | ')} |
| --- | --- | ${names.map(() => ':-:').join(' | ')} |
${listed.map((row) => `| ${row.join(' | ')} |`).join('\n')}

${listed.length} faults, ${listed.filter((row) => row.includes(FOUND)).length} found.
`;
}

const FOUND = '●';

function rowFor({ mutant, foundBy }: Finding, names: readonly string[]): Row {
  return [mutant.name, mutant.fault, ...names.map((name) => (foundBy.has(name) ? FOUND : ''))];
}

/** The rows of the table in a page, without its head. */
export function rowsOf(page: string): Row[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}
