import { parseArgs } from 'node:util';
import { wholeNumber } from '../support/whole-number.ts';

/** What the command line says. */
export interface BenchOptions {
  /** How rows or workloads begin that are to be measured. */
  readonly only?: string;
  readonly rounds: number;
  /** A file that gets everything as JSON. */
  readonly json?: string;
  /** A file of that kind, measured before: what is measured now takes the place of what is in it. */
  readonly from?: string;
  /** Whether the page and its picture are written. */
  readonly write: boolean;
}

const ROUNDS = 5;
const ROUNDS_MAX = 100;

/** @throws Error that names the option */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: String(ROUNDS) },
      json: { type: 'string' },
      from: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  for (const name of ['only', 'json', 'from'] as const) {
    if (values[name] === '') throw new Error(`--${name} must not be empty`);
  }
  return {
    ...values,
    rounds: wholeNumber('--rounds', values.rounds, { least: 1, most: ROUNDS_MAX }),
  };
}
