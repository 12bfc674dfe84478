import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ReadCache } from '../../src/bus/read-cache.ts';
import { RingBudget } from '../../src/bus/ring.ts';
import type { Entry, Page, Place } from '../../src/core/bus-log.ts';

const payload = Buffer.alloc(100);

/** The place of the message with this number. Its tag is of the same length as others. */
function placeAt(offset: number): Place {
  return { log: 'a', offset, tag: `tag${offset}` };
}

/** The page after a place. */
function pageAfter(offset: number, count: number): Page {
  const entries: Entry[] = Array.from({ length: count }, (_, index) => ({
    ...placeAt(offset + index + 1),
    prev: offset + index,
    payload,
    isBinary: false,
  }));
  return { isWhole: true, entries, hasMore: true };
}

function offsetsIn(page: Page | null): number[] | null {
  return page?.isWhole ? page.entries.map(({ offset }) => offset) : null;
}

describe('a read cache', () => {
  function filled(...reads: readonly (readonly [after: number, count: number])[]) {
    const budget = new RingBudget();
    const cache = new ReadCache(budget);
    for (const [after, count] of reads) cache.add(placeAt(after), pageAfter(after, count));
    return { cache, budget };
  }

  it('has what was read after a place, and after the messages that were read', () => {
    const { cache } = filled([10, 4]);
    assert.deepEqual(offsetsIn(cache.after(placeAt(10), 64)), [11, 12, 13, 14]);
    assert.deepEqual(offsetsIn(cache.after(placeAt(12), 1)), [13]);
    assert.equal(cache.after(placeAt(14), 64), null);
    assert.equal(cache.after(placeAt(9), 64), null);
  });

  it('never says that there is nothing more', () => {
    const { cache } = filled([10, 4]);
    const page = cache.after(placeAt(10), 64);
    assert.ok(page?.isWhole && page.hasMore);
  });

  it('knows a place by its log and its message, not by its number', () => {
    const { cache } = filled([10, 4]);
    for (const offset of [10, 12]) {
      assert.equal(cache.after({ ...placeAt(offset), tag: 'other' }, 64), null);
      assert.equal(cache.after({ ...placeAt(offset), log: 'b' }, 64), null);
    }
    cache.add({ ...placeAt(14), tag: 'other' }, pageAfter(14, 1));
    assert.equal(cache.after(placeAt(14), 64), null);
  });

  it('goes on where the last read has ended', () => {
    const { cache } = filled([10, 4], [14, 2]);
    assert.deepEqual(offsetsIn(cache.after(placeAt(13), 64)), [14, 15, 16]);
  });

  it('keeps nothing of an answer that is not whole or is empty', () => {
    const { cache, budget } = filled([10, 0]);
    cache.add(placeAt(10), { isWhole: false, cause: 'expired' });
    assert.equal(cache.after(placeAt(10), 64), null);
    assert.equal(budget.bytes, 0);
  });

  it('has four parts of a topic, and 1,024 messages of each', () => {
    const { cache, budget } = filled([100, 2], [200, 2], [300, 2], [400, 2]);
    assert.deepEqual(offsetsIn(cache.after(placeAt(100), 64)), [101, 102]);
    cache.add(placeAt(500), pageAfter(500, 2));
    assert.equal(cache.after(placeAt(200), 64), null);
    for (const after of [100, 300, 400, 500]) assert.ok(cache.after(placeAt(after), 64));
    for (let after = 502; after < 3_000; after += 64)
      cache.add(placeAt(after), pageAfter(after, 64));
    assert.equal(budget.bytes, (1_024 + 3 * 2) * (payload.length + 256));
    cache.clear();
    assert.equal(budget.bytes, 0);
    assert.equal(cache.after(placeAt(300), 64), null);
  });
});
