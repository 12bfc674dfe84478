import { afterEach, describe } from 'node:test';
import { AcceptedPair } from './accepted-pair.ts';
import { DialedPair } from './dialed-pair.ts';
import type { Pair, PairOptions } from './pair.ts';

/** Opens the pair of one test, and ends it after the test. */
export type OpenPair = (options?: PairOptions) => Promise<Pair>;

const sides: Readonly<Record<string, OpenPair>> = {
  server: (options) => AcceptedPair.open(options),
  client: (options) => DialedPair.open(options),
};

/**
 * Describes what holds for a connection whichever side dialed: once for one that a supervisor accepted, and
 * once for one that a client dialed.
 *
 * `catalogue.test.ts` counts the identifiers in such a file for both sides, so tests of one side belong in
 * another file.
 */
export function describeBothSides(title: string, tests: (connect: OpenPair) => void): void {
  for (const [side, open] of Object.entries(sides)) {
    describe(`${side}, ${title}`, () => {
      let pair: Pair | undefined;
      afterEach(async () => {
        await pair?.end();
        pair = undefined;
      });
      tests(async (options) => {
        pair = await open(options);
        return pair;
      });
    });
  }
}
