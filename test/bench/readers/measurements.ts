import type { Loop, Percentiles } from '../orders.ts';
import { percentile } from '../row.ts';
import { nowMicros, STAMP_DIGITS } from '../subjects/publishing.ts';
import type { Crowd } from './crowd.ts';
import type { FrameReader } from './frame-reader.ts';
import { maskedText, type Reader } from './reader.ts';

/** Runs a closed loop to its end. Returns the times of its round trips. */
export function runLoop(crowd: Crowd, { clients, trips, payload }: Loop): Promise<Percentiles> {
  const request = maskedText(payload);
  const readers = crowd.members.slice(0, clients);
  const sentAt = new Map<Reader, number>();
  const micros = new Float64Array(trips);
  let sent = 0;
  let answered = 0;
  const send = (reader: Reader) => {
    if (sent === trips) return;
    sent += 1;
    sentAt.set(reader, nowMicros());
    reader.send(request);
  };
  return new Promise((resolve) => {
    crowd.listener = (_frame, reader) => {
      micros[answered] = nowMicros() - (sentAt.get(reader) ?? 0);
      answered += 1;
      if (answered < trips) send(reader);
      else resolve(percentiles(micros));
    };
    for (const reader of readers) send(reader);
  });
}

/** How many messages a connection sends in one write. */
const FLOOD_BATCH = 50;

/** Sent by floods so far. */
let flooded = 0;

/** Lets every member send a message this often, as fast as it can. */
export async function flood(
  crowd: Crowd,
  { each, payload }: { each: number; payload: string },
): Promise<number> {
  const batch = Buffer.concat(Array.from({ length: FLOOD_BATCH }, () => maskedText(payload)));
  await Promise.all(crowd.members.map((reader) => reader.flood(batch, each / FLOOD_BATCH)));
  flooded += each * crowd.members.length;
  return flooded;
}

const SLOT_MS = 10;

/** Lets each member send one message per period. */
export class Chatter {
  readonly #crowd: Crowd;
  readonly #said = maskedText('"still here"');
  #timer: NodeJS.Timeout | null = null;

  constructor(crowd: Crowd) {
    this.#crowd = crowd;
  }

  /** @param periodMs - 0 for silence. */
  begin(periodMs: number): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (periodMs > 0) this.#speak(periodMs);
  }

  /** Follows the elapsed time, so that late timers make no member silent. */
  #speak(periodMs: number): void {
    const members = this.#crowd.members;
    const startedAt = performance.now();
    let spoken = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) / periodMs) * members.length);
      for (; spoken < due; spoken += 1) members[spoken % members.length]?.send(this.#said);
    }, SLOT_MS);
  }
}

const SAMPLED_READERS = 20;
const SAMPLED_EVERY = 7;

/** The age of stamped messages when they arrive at some of the readers. */
export class Delays {
  readonly #sampled: ReadonlySet<Reader>;
  #micros: number[] = [];
  #seen = 0;

  constructor(crowd: Crowd) {
    this.#sampled = new Set(crowd.members.slice(-SAMPLED_READERS));
    crowd.listener = (frame, reader) => this.#message(frame, reader);
  }

  /** The measurements since the last call. */
  take(): Percentiles {
    const micros = Float64Array.from(this.#micros);
    this.#micros = [];
    return percentiles(micros);
  }

  #message({ bytes, start, end }: FrameReader, reader: Reader): void {
    if (!this.#sampled.has(reader)) return;
    this.#seen += 1;
    // The quotation mark of the text comes first. A message that arrived in two pieces is skipped.
    const stampEnd = start + 1 + STAMP_DIGITS;
    if (this.#seen % SAMPLED_EVERY !== 0 || stampEnd > end) return;
    this.#micros.push(nowMicros() - Number(bytes.toString('latin1', start + 1, stampEnd)));
  }
}

/** The middle and the highest of many times. */
export function percentiles(micros: Float64Array): Percentiles {
  micros.sort();
  return { p50: percentile(micros, 0.5), p99: percentile(micros, 0.99) };
}
