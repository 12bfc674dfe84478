import { formatPlace } from '../../bus/place.ts';
import type { Entry, Place } from '../../core/bus-log.ts';
import { bytesFrame, type Frame, messageFrame } from '../../core/frame.ts';
import { headingText } from '../../core/heading.ts';
import type { Recovery } from '../../core/recovery.ts';
import type { FramePair } from '../shared-frames.ts';

/** The frames of entries. Members that follow behind get the same entries, so each is framed once. */
const framed = new WeakMap<Entry, FramePair>();

/** The frames of a kept message: for plain peers as it is, and for Mooring peers with its position before it. */
export function framesOf(topic: string, entry: Entry): FramePair {
  const known = framed.get(entry);
  if (known !== undefined) return known;
  const plain = bytesFrame(entry.payload, entry.isBinary);
  const headed = Buffer.concat([headingFrame('at', topic, formatPlace(entry)), plain]);
  const frames = { plain, headed };
  framed.set(entry, frames);
  return frames;
}

/** Tells a peer where it is, and whether it has missed something. */
export function onFrame({ topic, recovered, cause }: Recovery, place: Place): Frame {
  return headingFrame('on', topic, formatPlace(place), recovered, cause);
}

/** Tells a peer that nothing new was kept up to a place. */
export function stillFrame(topic: string, place: Place): Frame {
  return headingFrame('still', topic, formatPlace(place));
}

/** Tells a peer that it has left a topic. */
export function offFrame(topic: string): Frame {
  return headingFrame('off', topic);
}

function headingFrame(word: string, ...values: readonly unknown[]): Frame {
  return messageFrame(headingText(word, ...values));
}
