import { hash } from 'node:crypto';
import type { Place } from '../core/bus-log.ts';

/** The longest form of a place, in characters. */
export const PLACE_LENGTH_MAX = 40;

const RADIX = 36;
const TAG_LENGTH = 8;

const form = /^([0-9a-z]{1,16})\.(0|[1-9a-z][0-9a-z]{0,10})\.([\w-]{8}|)$/;

/** The tag of the message with this id: 48 bits of its hash. Two ids in a topic have the same one by chance, or never. */
export function tagOf(id: string): string {
  return hash('sha256', id, 'base64url').slice(0, TAG_LENGTH);
}

/** The place of an entry, without its message: a reader that held the entry would hold its message too. */
export function placeOf({ log, offset, tag }: Place): Place {
  return { log, offset, tag };
}

/** Writes a place as `<log>.<offset in base 36>.<tag>`. Clients carry this text and do not look into it. */
export function formatPlace({ log, offset, tag }: Place): string {
  return `${log}.${offset.toString(RADIX)}.${tag}`;
}

/** Reads what {@link formatPlace} wrote. Returns `null` for any other text, because a peer may send anything. */
export function parsePlace(text: string): Place | null {
  if (text.length > PLACE_LENGTH_MAX) return null;
  const [, log, digits, tag] = form.exec(text) ?? [];
  if (log === undefined || digits === undefined || tag === undefined) return null;
  const offset = Number.parseInt(digits, RADIX);
  return Number.isSafeInteger(offset) ? { log, offset, tag } : null;
}
