import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../package/repository.ts';
import { type SimulationResult, simulate } from './simulation.ts';
import type { TraceLine } from './trace.ts';

/** The result of many simulations. */
export interface Campaign {
  readonly runs: number;
  readonly connections: number;
  readonly events: number;
  readonly virtualMs: number;
  /** How often each ending was reported. */
  readonly tally: ReadonlyMap<string, number>;
  /** The first simulation that broke a rule, with its trace. */
  readonly failure: SimulationResult | undefined;
  /** CPU time of one simulation, in milliseconds, and how many of them one core runs in a second. */
  readonly cpuMs: number;
  readonly perSecond: number;
}

/** Simulates one seed after the other, up to the first that breaks a rule. */
export async function campaign(first: number, runs: number): Promise<Campaign> {
  const tally = new Map<string, number>();
  const sums = { runs: 0, connections: 0, events: 0, virtualMs: 0 };
  let failure: SimulationResult | undefined;
  const began = process.cpuUsage();
  for (let seed = first; seed < first + runs && failure === undefined; seed += 1) {
    const result = await simulate(seed);
    sums.runs += 1;
    sums.connections += result.connections;
    sums.events += result.events;
    sums.virtualMs += result.virtualMs;
    for (const [what, times] of Object.entries(result.tally)) {
      tally.set(what, (tally.get(what) ?? 0) + times);
    }
    if (result.violation !== null) failure = await simulate(seed, { trace: true });
  }
  const { user, system } = process.cpuUsage(began);
  const cpuMs = (user + system) / 1_000 / sums.runs;
  return { ...sums, tally, failure, cpuMs, perSecond: Math.round(1_000 / cpuMs) };
}

const LINES_SHOWN = 40;

/** The last lines of a trace, the broken rule, and the command that repeats it. */
export function failureText({ seed, violation, trace }: SimulationResult): string {
  const tail = trace.slice(-LINES_SHOWN).map(lineText);
  return [
    ...tail,
    `seed ${seed} breaks ${violation?.invariant}: ${violation?.problem}`,
    `replay it with: npm run simulate -- --seed ${seed} --runs 1`,
  ].join('\n');
}

/** One line of a trace. */
export function lineText({ atMs, who, what, detail }: TraceLine): string {
  return `${atMs.toFixed(1).padStart(12)} ms  ${who === 0 ? '' : `c${who}`}`
    .padEnd(22)
    .concat(`${what} ${detail}`.trimEnd());
}

/** A seed that once found a fault, and the fault. */
export interface Regression {
  readonly seed: number;
  readonly found: string;
}

const regressions = join(root, 'test/simulation/regressions');

export function readRegressions(): Regression[] {
  return readdirSync(regressions)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(regressions, name), 'utf8')));
}

/** Stores a seed permanently. Returns the name of its file. */
export function writeRegression({ seed, violation }: SimulationResult): string {
  const found = `${violation?.invariant}: ${violation?.problem}`;
  mkdirSync(regressions, { recursive: true });
  const name = join(regressions, `${seed}.json`);
  writeFileSync(name, `${JSON.stringify({ seed, found }, null, 2)}\n`);
  return name;
}
