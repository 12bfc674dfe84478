import { formatPlace } from '../../bus/place.ts';
import type { Entry, Place } from '../../core/bus-log.ts';
import { bytesFrame, type Frame, messageFrame } from '../../core/frame.ts';
import { headingText } from '../../core/heading.ts';
import type { Recovery } from '../../core/recovery.ts';
import type { FramePair } from '../shared-frames.ts';

/** What is remembered of frames. */
const FRAMES_MAX = 256;
const BYTES_MAX = 4_194_304;

/** The frames of kept messages. Members that follow behind get the same messages, so the latest frames are remembered. */
export class EntryFrames {
  readonly #frames = new Map<Entry, FramePair>();
  #bytes = 0;

  /** The frames of a message: for plain peers as it is, and for Mooring peers with its position before it. */
  of(topic: string, entry: Entry): FramePair {
    const known = this.#frames.get(entry);
    if (known !== undefined) return known;
    const plain = bytesFrame(entry.payload, entry.isBinary);
    const headed = Buffer.concat([headingFrame('at', topic, formatPlace(entry)), plain]);
    const frames = { plain, headed };
    this.#remember(entry, frames);
    return frames;
  }

  #remember(entry: Entry, frames: FramePair): void {
    this.#frames.set(entry, frames);
    this.#bytes += bytesOf(frames);
    for (const [oldest, forgotten] of this.#frames) {
      if (this.#frames.size <= FRAMES_MAX && this.#bytes <= BYTES_MAX) return;
      this.#frames.delete(oldest);
      this.#bytes -= bytesOf(forgotten);
    }
  }
}

function bytesOf({ plain, headed }: FramePair): number {
  return plain.length + headed.length;
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
