import type { Mutant } from './mutants.ts';
import { suites } from './suites.ts';

/** A mutant and the suites that found it, each with the name of its first test that failed. */
export interface Finding {
  readonly mutant: Mutant;
  readonly foundBy: ReadonlyMap<string, string>;
}

/** Where the page is, from the root. */
export const PAGE = 'docs/reference/mutants.md';

/** Writes the page that says which suite finds which fault. */
export function mutantsPage(findings: readonly Finding[]): string {
  const names = suites.map(({ name }) => name);
  return `# Planted faults

A test that cannot fail proves nothing. \`npm run mutants\` plants the faults below in a copy of the code, one
at a time, and runs the suites over it. This page is what its last full run wrote.

- **charts**: every edge and every pair of edges of the statecharts, on virtual time
- **unit**: one class at a time
- **simulation**: seeded schedules with fake sockets, on virtual time
- **real sockets**: every edge of the connection chart, through a proxy that breaks things
- **integration**: the whole library on real sockets; asked only about what nobody else has found

| Fault | What it does | ${names.join(' | ')} |
| --- | --- | ${names.map(() => ':-:').join(' | ')} |
${findings.map((finding) => rowOf(finding, names)).join('\n')}

${findings.length} faults, ${findings.filter(({ foundBy }) => foundBy.size > 0).length} found.
`;
}

function rowOf({ mutant, foundBy }: Finding, names: readonly string[]): string {
  const marks = names.map((name) => (foundBy.has(name) ? '●' : ''));
  return `| ${[mutant.name, mutant.fault, ...marks].join(' | ')} |`;
}
