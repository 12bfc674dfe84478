import type { SeededRandom } from '../seeded-random.ts';
import type { SimulatedClock } from '../simulated-clock.ts';

/** Which messages reached which place, over all connections of one client. */
export class Ledger {
  /** The messages that were passed to a socket, in order. */
  readonly written: number[] = [];
  /** Those that left the process, and those that the server received, in order. */
  readonly left = new Set<number>();
  readonly received: number[] = [];
  /** Called when a message is passed to a socket. */
  onWrite: (message: number) => void = () => {};
}

interface Chunk {
  /** The number of the message. `null` for a frame without one. */
  readonly message: number | null;
  readonly payload: string | Uint8Array;
  readonly bytes: number;
}

/** What a simulated socket and its line share. */
export interface LineParts {
  readonly clock: SimulatedClock;
  readonly random: SeededRandom;
  readonly ledger: Ledger;
}

/** The path from a socket over the kernel and the network to the server. It may be slow, stall, or be cut. */
export class Line {
  readonly #parts: LineParts;
  readonly #buffered: Chunk[] = [];
  /** What is in transit to the server. */
  readonly #underWay: Chunk[] = [];
  bufferedBytes = 0;
  /** How much the kernel accepts at the moment. */
  #room: number;
  #isStill: boolean;
  #isCut = false;
  /** Called when part of the backlog has left. */
  onProgress: () => void = () => {};
  /** Called when the server has read something that is not a message. */
  onRead: (payload: string) => void = () => {};

  constructor(parts: LineParts, isStill: boolean) {
    this.#parts = parts;
    this.#room = parts.random.pick([0, 1_000, 100_000, 10_000_000]);
    this.#isStill = isStill;
    this.#flow();
  }

  /** From time to time the kernel has room again. */
  #flow(): void {
    const { clock, random } = this.#parts;
    clock.arriveAt(clock.now() + random.integer(1, 400), () => {
      if (this.#isCut) return;
      if (!this.#isStill) this.#room += random.pick([500, 20_000, 500_000]);
      else if (random.chance(0.02)) this.#isStill = false;
      if (this.#take()) this.onProgress();
      this.#flow();
    });
  }

  write(payload: string | Uint8Array, bytes: number): void {
    const { ledger } = this.#parts;
    const message = numberOf(payload);
    if (message !== null) {
      ledger.written.push(message);
      ledger.onWrite(message);
    }
    this.#buffered.push({ message, payload, bytes });
    this.bufferedBytes += bytes;
    this.#take();
  }

  /** Moves what the kernel has room for. Returns whether anything moved. */
  #take(): boolean {
    let hasMoved = false;
    for (let head = this.#buffered[0]; head !== undefined; head = this.#buffered[0]) {
      if (this.#isCut || head.bytes > this.#room) break;
      this.#room -= head.bytes;
      this.bufferedBytes -= head.bytes;
      this.#buffered.shift();
      hasMoved = true;
      this.#deliver(head);
    }
    return hasMoved;
  }

  #deliver(chunk: Chunk): void {
    const { clock, ledger } = this.#parts;
    if (chunk.message !== null) ledger.left.add(chunk.message);
    this.#underWay.push(chunk);
    clock.arriveAt(clock.now() + 5, () => {
      const { message = null, payload = '' } = this.#underWay.shift() ?? {};
      if (this.#isCut) return;
      if (message === null) this.onRead(String(payload));
      else ledger.received.push(message);
    });
  }

  /** Everything in the kernel and behind it is lost. */
  cut(): void {
    this.#isCut = true;
  }
}

/** The number of the message in a payload. `null` if it is not a message. */
export function numberOf(payload: string | Uint8Array): number | null {
  const [, digits] = /^\{"i":(\d+)/.exec(String(payload).slice(0, 20)) ?? [];
  return digits === undefined ? null : Number(digits);
}
