import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyStateMachine } from 'xstate';
import { transitionNames } from '../support/chart-walk.ts';
import type { PlantedFault } from './planted.ts';

/** The rule that a simulation broke first, and how. */
export interface Violation {
  readonly rule: string;
  readonly problem: string;
}

/** The part of the result of a simulation that every test of one needs. */
export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | null;
}

/** Runs a simulation with one seed after the other. Returns the first result that breaks a rule. */
export async function firstBroken<Result extends SeedResult>(
  simulate: (seed: number) => Promise<Result>,
  seeds: number,
  done: (result: Result) => void = () => {},
): Promise<Result | undefined> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const result = await simulate(seed);
    done(result);
    if (result.violation !== null) return result;
  }
  return undefined;
}

/** Asserts that a simulation finds each fault by a rule that the fault breaks. */
export function describeFaults(
  title: string,
  faults: readonly PlantedFault[],
  find: () => Promise<SeedResult | undefined>,
): void {
  describe(title, () => {
    for (const { mistake, plant, breaks } of faults) {
      it(mistake, async () => {
        const restore = plant();
        try {
          const { violation = null } = (await find()) ?? {};
          assert.ok(violation !== null, 'nothing is found');
          assert.ok(breaks.includes(violation.rule), `${violation.rule}: ${violation.problem}`);
        } finally {
          restore();
        }
      });
    }
  });
}

/** Every arrow that a machine draws, except those for the signals of children. */
export function arrowsOf(machine: AnyStateMachine): string[] {
  return [...transitionNames(machine)].flatMap(([{ source, eventType }]) =>
    eventType.startsWith('xstate.') ? [] : [`${source.path.join('.')} ${eventType}`],
  );
}
