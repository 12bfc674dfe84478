import type { Socket } from 'node:net';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { INTEGER_MAX } from '../core/defaults.ts';
import { flag, integer, oneOf, type Rule, resolved } from '../core/option-rules.ts';

/** The faults of one direction of a link; none by default. */
export interface StreamFaults {
  /** Lets nothing through: no bytes, no FIN and no RST. Nothing is lost, because everything waits. @default false */
  blackhole?: boolean;
  /** The delay of everything, in milliseconds. The order is kept. @default 0 */
  latencyMs?: number;
  /** How many bytes pass in a second. @default unlimited */
  bytesPerSecond?: number;
  /** Splits into writes of this many bytes, with a turn of the event loop between two. @default unsplit */
  chunkBytes?: number;
  /** Inverts the byte at this offset, counted from the first byte of the link. @default none */
  corruptAt?: number;
  /** Lets this many bytes through, counted from the first byte of the link, then ends. @default no end */
  cutAt?: number;
  /** How it ends at `cutAt`. @default 'reset' */
  cutWith?: LinkEnd;
}

/** How TCP ends: `end` is FIN, `reset` is RST. */
export type LinkEnd = 'end' | 'reset';

const offset = integer(undefined, [0, Number.MAX_SAFE_INTEGER]);

/** @internal */
export const streamFaultRules = {
  blackhole: flag(false),
  latencyMs: integer(0, [0, INTEGER_MAX]),
  bytesPerSecond: integer(undefined),
  chunkBytes: integer(undefined),
  corruptAt: offset,
  cutAt: offset,
  cutWith: oneOf<LinkEnd>('reset', 'end'),
} satisfies Record<keyof StreamFaults, Rule<unknown>>;

/** How many bytes may be held before the sender is slowed down. */
const HELD_BYTES_MAX = 65_536;

/** A limited rate is applied in steps of this length, or of one byte. */
const STEP_MS = 10;

interface Held {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

/**
 * One direction of a link, from the sending socket to the receiving socket.
 *
 * Faults affect only the receiving side, and you can change them at any time. At most 64 KiB are held. Beyond that, the sender
 * is no longer read, and TCP slows it down.
 */
export class FaultStream {
  readonly #source: Socket | null;
  readonly #destination: Socket | null;
  readonly #clock: Clock;
  #faults: StreamFaults = {};
  readonly #held: Held[] = [];
  #heldBytes = 0;
  #ending: LinkEnd | null = null;
  #endingDueMs = 0;
  #bytes = 0;
  #isOver = false;
  #isWriting = false;
  #timer: TimerHandle | null = null;
  /** When the rate allows the next bytes. */
  #readyMs = 0;

  /** @internal */
  constructor(source: Socket | null, destination: Socket | null, clock: Clock) {
    this.#source = source;
    this.#destination = destination;
    this.#clock = clock;
    source?.on('data', (chunk: Buffer) => this.#take(chunk));
    source?.on('end', () => this.#finish('end'));
    source?.on('error', () => this.#finish('reset'));
  }

  /** Bytes that have passed so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Replaces the faults, also for bytes that are already held. `set({})` removes all faults.
   *
   * A new latency applies to bytes that arrive from now on.
   *
   * @throws MooringError `invalid-options`
   */
  set(faults: StreamFaults): void {
    this.#faults = resolved(faults, streamFaultRules) as StreamFaults;
    this.#readyMs = 0;
    this.#wait(0);
    this.#pump();
    this.#regulate();
  }

  /** Resets the receiving side at once (RST). Held bytes, and all later ones, are dropped. */
  reset(): void {
    this.#drop();
    const destination = this.#destination;
    if (destination !== null && !destination.destroyed) destination.resetAndDestroy();
  }

  /** Ends the receiving side at once (FIN). Held bytes, and all later ones, are dropped. */
  end(): void {
    this.#drop();
    this.#destination?.end();
  }

  #drop(): void {
    this.#isOver = true;
    this.#ending = null;
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#wait(0);
    this.#regulate();
  }

  #take(bytes: Buffer): void {
    if (this.#isOver) return;
    this.#held.push({ bytes, dueMs: this.#dueMs() });
    this.#heldBytes += bytes.length;
    this.#pump();
    this.#regulate();
  }

  /** A reset counts even after an end, because a socket can do both. */
  #finish(ending: LinkEnd): void {
    if (this.#isOver && ending === 'end') return;
    this.#ending = ending;
    this.#endingDueMs = this.#dueMs();
    this.#pump();
  }

  #dueMs(): number {
    return this.#clock.now() + (this.#faults.latencyMs ?? 0);
  }

  /** Reads only while there is room. */
  #regulate(): void {
    const source = this.#source;
    if (source === null) return;
    const isFull = this.#faults.blackhole === true || this.#heldBytes >= HELD_BYTES_MAX;
    if (isFull && !this.#isOver) source.pause();
    else if (source.isPaused()) source.resume();
  }

  /** Passes on what may pass now. */
  #pump(): void {
    const destination = this.#destination;
    if (destination === null || this.#isHeldUp) return;
    const [first] = this.#held;
    if (this.#isAtCut) this.#carry(this.#faults.cutWith ?? 'reset');
    else if (first === undefined) this.#pumpEnding();
    else if (!destination.writable) this.#drop();
    else if (this.#isDue(Math.max(first.dueMs, this.#readyMs))) this.#write(destination, first);
  }

  #pumpEnding(): void {
    if (this.#ending !== null && this.#isDue(this.#endingDueMs)) this.#carry(this.#ending);
  }

  get #isHeldUp(): boolean {
    return this.#faults.blackhole === true || this.#isWriting || this.#timer !== null;
  }

  get #isAtCut(): boolean {
    return !this.#isOver && this.#bytes >= (this.#faults.cutAt ?? Number.POSITIVE_INFINITY);
  }

  /** Whether the time has come. If not, it pumps again at that time. */
  #isDue(dueMs: number): boolean {
    const waitMs = dueMs - this.#clock.now();
    if (waitMs > 0) this.#wait(waitMs);
    return waitMs <= 0;
  }

  #carry(ending: LinkEnd): void {
    if (ending === 'end') this.end();
    else this.reset();
  }

  /** Pumps again after `waitMs`; `0` cancels that. */
  #wait(waitMs: number): void {
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
    if (waitMs === 0) return;
    this.#timer = this.#clock.setTimer(waitMs, () => {
      this.#timer = null;
      this.#pump();
    });
  }

  #write(destination: Socket, first: Held): void {
    const length = Math.min(first.bytes.length, this.#lengthMax());
    const rest = first.bytes.subarray(length);
    if (rest.length === 0) this.#held.shift();
    else this.#held[0] = { bytes: rest, dueMs: first.dueMs };
    const { bytesPerSecond, chunkBytes } = this.#faults;
    if (bytesPerSecond !== undefined) {
      const startMs = Math.max(this.#readyMs, this.#clock.now() - STEP_MS);
      this.#readyMs = startMs + (length * 1_000) / bytesPerSecond;
    }
    this.#isWriting = true;
    const written = () => {
      this.#isWriting = false;
      this.#pump();
      this.#regulate();
    };
    // Without a turn in between, the kernel would join the split writes again.
    const isSplit = chunkBytes !== undefined;
    destination.write(this.#corrupted(first.bytes.subarray(0, length)), () => {
      if (isSplit) this.#clock.afterPoll(written);
      else written();
    });
    this.#bytes += length;
    if (!this.#isOver) this.#heldBytes -= length;
  }

  #lengthMax(): number {
    const { chunkBytes, bytesPerSecond, cutAt } = this.#faults;
    return Math.min(
      chunkBytes ?? Number.POSITIVE_INFINITY,
      Math.max(1, Math.floor(((bytesPerSecond ?? Number.POSITIVE_INFINITY) * STEP_MS) / 1_000)),
      (cutAt ?? Number.POSITIVE_INFINITY) - this.#bytes,
    );
  }

  #corrupted(bytes: Buffer): Buffer {
    const index = (this.#faults.corruptAt ?? -1) - this.#bytes;
    const byte = bytes[index];
    if (byte === undefined) return bytes;
    const copy = Buffer.from(bytes);
    copy[index] = byte ^ 0xff;
    return copy;
  }

  /** @internal Drops everything that waits. */
  release(): void {
    this.#drop();
  }
}
