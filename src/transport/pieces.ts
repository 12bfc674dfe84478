/** What a piece costs besides its bytes: the view, its buffer and what the system keeps of it (measured). */
const PIECE_BYTES = 256;

/** What pieces may cost beyond twice the bytes that they hold. */
const SLACK_BYTES = 1_024;

/** Pieces that hold this much together are joined once more, and then left alone. */
const BLOCK_BYTES = 16_384;

/**
 * Joins the last pieces of a list when they cost more than twice the bytes that they hold: a piece may be a single byte,
 * or a view that keeps a read of 64 KiB alive.
 *
 * The more they hold, the more pieces fit before the next join: single bytes are copied a few hundred times at most, and
 * pieces of 1 KiB or more about once.
 *
 * @param blocks - how many pieces at the beginning are blocks and stay as they are.
 * @returns how many there are now.
 */
export function compact(pieces: Buffer[], blocks: number): number {
  let bytes = 0;
  let cost = 0;
  let buffer: ArrayBufferLike | null = null;
  for (let at = blocks; at < pieces.length; at += 1) {
    const piece = pieces[at] as Buffer;
    bytes += piece.length;
    cost += PIECE_BYTES;
    if (piece.buffer !== buffer) cost += piece.buffer.byteLength;
    buffer = piece.buffer;
  }
  const isBlock = bytes >= BLOCK_BYTES;
  const isCostly = cost > 2 * bytes + SLACK_BYTES;
  if (isCostly || (isBlock && pieces.length - blocks > 1)) {
    pieces.push(joined(pieces.splice(blocks), bytes));
  }
  return isBlock ? blocks + 1 : blocks;
}

/** Copies pieces into one that keeps nothing else alive: not from the pool of Node.js, which others share. */
export function joined(pieces: readonly Uint8Array[], bytes: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
