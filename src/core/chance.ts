import { guarded, type ReportThrown } from './guard.ts';
import { kindOf } from './wording.ts';

/** What is taken for a chance that the user's code did not give. */
const EVEN_CHANCE = 0.5;

/** A number from 0 to 1 that the user's `random` gives. What it throws, or gives instead, is reported. */
export function chanceOf(random: () => number, report: ReportThrown): number {
  let hasThrown = false;
  const chance: unknown = guarded(random, (error) => {
    hasThrown = true;
    report(error);
  });
  if (typeof chance === 'number' && chance >= 0 && chance <= 1) return chance;
  if (!hasThrown) {
    report(new RangeError(`random must return a number from 0 to 1, not ${kindOf(chance)}`));
  }
  return EVEN_CHANCE;
}
