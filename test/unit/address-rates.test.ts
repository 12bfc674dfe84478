import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from '../../src/core/token-bucket.ts';
import { AddressRates } from '../../src/server/address.ts';

const rate = { perSecond: 10, burst: 20 };
const fillMs = 2_000;

/** Counts the tokens that an address gets until it has none left. */
function drained(rates: AddressRates, address: string, nowMs: number): number {
  let taken = 0;
  while (rates.take(address, nowMs)) taken += 1;
  return taken;
}

describe('AddressRates', () => {
  it('gives each address a burst, then its rate', () => {
    const rates = new AddressRates(rate, 0);
    assert.deepEqual([drained(rates, 'a', 0), drained(rates, 'b', 0)], [20, 20]);
    assert.deepEqual([drained(rates, 'a', 1_000), drained(rates, 'b', 500)], [10, 5]);
  });

  it('gives as many tokens as one bucket for each address would, whatever it forgets', () => {
    // Most visits follow soon. With longer gaps, every bucket would be full each time.
    const afterMs = fc.oneof(fc.constant(0), fc.nat(1_000), fc.nat(2 * fillMs));
    const visit = fc.record({ address: fc.constantFrom('a', 'b', 'c'), afterMs });
    fc.assert(
      fc.property(fc.array(visit, { maxLength: 200 }), (visits) => {
        const rates = new AddressRates({ perSecond: 1, burst: 2 }, 0);
        const buckets = new Map<string, TokenBucket>();
        let nowMs = 0;
        for (const { address, afterMs } of visits) {
          nowMs += afterMs;
          const bucket = buckets.get(address) ?? new TokenBucket({ perSecond: 1, burst: 2 }, 0);
          buckets.set(address, bucket);
          assert.equal(rates.take(address, nowMs), bucket.take(nowMs));
        }
      }),
    );
  });

  it('forgets an address whose bucket must be full again', () => {
    const rates = new AddressRates(rate, 0);
    for (let index = 0; index < 1_000; index += 1) rates.take(`a${index}`, index);
    assert.equal(rates.size, 1_000);
    rates.take('b', fillMs);
    rates.take('b', 2 * fillMs);
    assert.equal(rates.size, 1);
  });

  it('remembers an address that returns repeatedly, once', () => {
    const rates = new AddressRates(rate, 0);
    for (let nowMs = 0; nowMs < 5 * fillMs; nowMs += 100) rates.take('a', nowMs);
    assert.equal(rates.size, 1);
  });
});
