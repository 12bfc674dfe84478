import { parseArgs } from 'node:util';
import { wholeNumber } from '../support/whole-number.ts';

/** The options of the command line. */
export interface BenchOptions {
  /** The beginnings of the names of rows or workloads to be measured. */
  readonly only?: string;
  readonly rounds: number;
  /** A file that receives everything as JSON. */
  readonly json?: string;
  /** An earlier file of that kind. New measurements replace its contents. */
  readonly from?: string;
  /** Whether to write the page and its picture. */
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
