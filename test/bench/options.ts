import { parseArgs } from 'node:util';

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
  return { ...values, rounds: roundsOf(values.rounds) };
}

function roundsOf(text: string): number {
  const rounds = Number(text);
  if (/^\d+$/.test(text) && rounds >= 1 && rounds <= ROUNDS_MAX) return rounds;
  throw new Error(`--rounds must be a whole number from 1 to ${ROUNDS_MAX}, got '${text}'`);
}
