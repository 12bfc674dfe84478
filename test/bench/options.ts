import { parseArgs } from 'node:util';
import { wholeNumber } from '../support/whole-number.ts';

/** The options of the command line. */
export interface BenchOptions {
  /** The beginnings of the names of rows or workloads to be measured. */
  readonly only?: string;
  /** Whether to measure only the main rows, in fewer rounds. */
  readonly quick: boolean;
  readonly rounds: number;
  /** A file that receives everything as JSON. */
  readonly json?: string;
  /** An earlier file of that kind. New measurements replace its contents. */
  readonly from?: string;
  /** Whether to write the page and its pictures. */
  readonly write: boolean;
  /** Whether to show figures of a busy machine too, for work on the benchmarks themselves. */
  readonly anyway: boolean;
}

const ROUNDS = 5;
const QUICK_ROUNDS = 2;
const ROUNDS_MAX = 100;

/** @throws Error that names the option */
export function parseBenchOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      json: { type: 'string' },
      from: { type: 'string' },
      write: { type: 'boolean', default: false },
      anyway: { type: 'boolean', default: false },
    },
  });
  for (const name of ['only', 'json', 'from'] as const) {
    if (values[name] === '') throw new Error(`--${name} must not be empty`);
  }
  if (values.quick && values.only !== undefined)
    throw new Error('--quick and --only exclude each other');
  if (values.write && values.anyway) throw new Error('--write and --anyway exclude each other');
  const { rounds = String(values.quick ? QUICK_ROUNDS : ROUNDS) } = values;
  return { ...values, rounds: wholeNumber('--rounds', rounds, { least: 1, most: ROUNDS_MAX }) };
}
