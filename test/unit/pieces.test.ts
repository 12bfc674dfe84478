import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { compact, joined } from '../../src/transport/reassembly.ts';

/** The memory that the pieces keep alive: each buffer once, and 256 bytes for each piece. */
function costOf(pieces: readonly Buffer[]): number {
  const buffers = new Set(pieces.map(({ buffer }) => buffer));
  const pinned = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
  return pinned + 256 * pieces.length;
}

/** A view of the last bytes of a read. */
function endOfRead(readBytes: number, bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(readBytes).subarray(readBytes - bytes);
}

function addAll(pieces: Iterable<Buffer>): { held: Buffer[]; joins: number; blocks: number } {
  const held: Buffer[] = [];
  let [joins, blocks] = [0, 0];
  for (const piece of pieces) {
    held.push(piece);
    const { length } = held;
    blocks = compact(held, blocks);
    if (held.length < length || held.at(-1) !== piece) joins += 1;
  }
  return { held, joins, blocks };
}

describe('compact', () => {
  it('keeps the bytes in order, and holds at most twice their length plus 1 KiB', () => {
    const read = fc.record({
      readBytes: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constantFrom(1_400, 4_096, 65_536)),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(read, { maxLength: 200 }), (reads) => {
        const pieces = reads.map(({ readBytes, part }, at) =>
          endOfRead(readBytes, Math.max(1, Math.floor(readBytes * part))).fill(at),
        );
        const whole = Buffer.concat(pieces);
        const { held } = addAll(pieces);
        assert.ok(Buffer.concat(held).equals(whole));
        assert.ok(costOf(held) <= 2 * whole.length + 1_024, `${costOf(held)} for ${whole.length}`);
      }),
    );
  });

  it('copies a byte out of the read of 64 KiB that it would keep alive', () => {
    const { held } = addAll([endOfRead(65_536, 1).fill(7)]);
    assert.deepEqual(held, [Buffer.of(7)]);
    assert.equal(held[0]?.buffer.byteLength, 1);
  });

  it('leaves a piece of more than half of its read unchanged', () => {
    const piece = endOfRead(65_536, 40_000);
    const { held, joins, blocks } = addAll([piece]);
    assert.deepEqual([held[0], joins, blocks], [piece, 0, 1]);
  });

  it('joins 100,000 single bytes in far fewer steps, each block once', () => {
    const { held, joins } = addAll(
      Array.from({ length: 100_000 }, () => Buffer.allocUnsafeSlow(1)),
    );
    assert.ok(held.length <= 7 + 100, `${held.length} pieces`);
    assert.ok(joins < 5_000, `${joins} joins`);
  });

  it('makes one piece of twelve segments, and leaves blocks alone', () => {
    const { held, blocks } = addAll(
      Array.from({ length: 1_200 }, () => Buffer.allocUnsafeSlow(1_400)),
    );
    assert.deepEqual([held.length, blocks], [100, 100]);
  });

  it('never copies into the shared pool', () => {
    assert.equal(joined([Buffer.of(1), Buffer.of(2)], 2).buffer.byteLength, 2);
  });
});
