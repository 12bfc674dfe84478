import type { Clock } from '../core/clock.ts';
import type { Trail, TrailFact } from '../core/trail.ts';

/** How many facts a trail keeps. A position is the number of a trail times this, plus the index of its next fact. */
const FACTS_MAX = 16;
const PLACE_MASK = FACTS_MAX - 1;

/** Trails that are allocated at once, and positions in them. */
const TRAILS_PER_CHUNK = 256;
const POSITION_BITS = 12;
const POSITION_MASK = TRAILS_PER_CHUNK * FACTS_MAX - 1;

/** An entry: six bits of the fact's code, two of the scale of its time, and 24 of the time. An empty entry is 0. */
const CODES_MAX = 64;
const CODE_SHIFT = 26;
const SCALE_SHIFT = 24;
const SCALE_MAX = 3;
const SCALE_STEP = 64;
const TICKS_MAX = 2 ** SCALE_SHIFT - 1;

const NO_TRAIL = 0xffff_ffff;

interface Chunk {
  /** An unused trail keeps the number of the next unused trail in its first entry. */
  readonly entries: Uint32Array;
  /** When the last fact of each trail came, in milliseconds of the clock. */
  readonly lastMs: Float64Array;
}

/**
 * Keeps the last facts of every connection, so that a verdict can show what happened before the end.
 *
 * It owns the memory of all trails, 72 bytes each, and reuses it when a chart has ended. It frees memory only when no
 * chart is running. Each entry has the time since the previous entry: to the millisecond up to 4.6 hours, to 64 ms up
 * to 12 days, to 4 seconds up to two years.
 */
export class FlightRecorder {
  readonly #clock: Clock;
  readonly #codes = new Map<string, number>();
  /** The facts by their codes, which begin with 1. */
  readonly #facts = [''];
  #chunks: Chunk[] = [];
  #unused = NO_TRAIL;
  #inUse = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number that stands for a fact in {@link record}. */
  codeOf(fact: string): number {
    const known = this.#codes.get(fact);
    if (known !== undefined) return known;
    const code = this.#facts.length;
    if (code >= CODES_MAX) throw new RangeError(`no code is left for the fact ${fact}`);
    this.#facts.push(fact);
    this.#codes.set(fact, code);
    return code;
  }

  /** Begins a trail. Returns the position of its first fact. */
  begin(): number {
    if (this.#unused === NO_TRAIL) this.#grow();
    const position = this.#unused * FACTS_MAX;
    const { entries, lastMs } = this.#chunkOf(position);
    const first = position & POSITION_MASK;
    this.#unused = entries[first] as number;
    this.#inUse += 1;
    entries.fill(0, first, first + FACTS_MAX);
    lastMs[first / FACTS_MAX] = Math.round(this.#clock.now());
    return position;
  }

  /** Records a fact, unless the position is negative. Returns the position of the next one. */
  record(position: number, code: number): number {
    if (position < 0) return position;
    const { entries, lastMs } = this.#chunkOf(position);
    const at = position & POSITION_MASK;
    const nowMs = Math.round(this.#clock.now());
    const elapsedMs = nowMs - (lastMs[at >>> 4] as number);
    lastMs[at >>> 4] = nowMs;
    entries[at] = (code << CODE_SHIFT) | packed(elapsedMs);
    return (position & ~PLACE_MASK) | ((position + 1) & PLACE_MASK);
  }

  /** Ends a trail and returns its facts; none if the position is negative. The next trail reuses the memory. */
  take(position: number): Trail {
    if (position < 0) return [];
    const { entries, lastMs } = this.#chunkOf(position);
    const at = position & POSITION_MASK;
    const first = at & ~PLACE_MASK;
    const sinceMs = Math.round(this.#clock.now()) - (lastMs[at >>> 4] as number);
    let atMs = Math.round(this.#clock.wallNow()) - sinceMs;
    const trail: TrailFact[] = [];
    for (let back = 1; back <= FACTS_MAX; back += 1) {
      const entry = entries[first + ((at - back) & PLACE_MASK)] as number;
      if (entry === 0) break;
      trail.push({ fact: this.#facts[entry >>> CODE_SHIFT] as TrailFact['fact'], atMs });
      atMs -= unpacked(entry);
    }
    this.#free((position - (at & PLACE_MASK)) / FACTS_MAX, entries, first);
    return trail.reverse();
  }

  #chunkOf(position: number): Chunk {
    return this.#chunks[position >>> POSITION_BITS] as Chunk;
  }

  #grow(): void {
    const begin = this.#chunks.length * TRAILS_PER_CHUNK;
    const entries = new Uint32Array(TRAILS_PER_CHUNK * FACTS_MAX);
    for (let index = 0; index < TRAILS_PER_CHUNK; index += 1) {
      const next = index + 1 < TRAILS_PER_CHUNK ? begin + index + 1 : NO_TRAIL;
      entries[index * FACTS_MAX] = next;
    }
    this.#chunks.push({ entries, lastMs: new Float64Array(TRAILS_PER_CHUNK) });
    this.#unused = begin;
  }

  #free(trail: number, entries: Uint32Array, first: number): void {
    entries[first] = this.#unused;
    this.#unused = trail;
    this.#inUse -= 1;
    if (this.#inUse > 0 || this.#chunks.length === 1) return;
    this.#chunks = [];
    this.#unused = NO_TRAIL;
  }
}

/** Packs a time into 26 bits. */
function packed(elapsedMs: number): number {
  let ticks = Math.max(0, elapsedMs);
  let scale = 0;
  while (ticks > TICKS_MAX && scale < SCALE_MAX) {
    ticks = Math.round(ticks / SCALE_STEP);
    scale += 1;
  }
  return (scale << SCALE_SHIFT) | Math.min(ticks, TICKS_MAX);
}

function unpacked(entry: number): number {
  return (entry & TICKS_MAX) * SCALE_STEP ** ((entry >>> SCALE_SHIFT) & SCALE_MAX);
}
