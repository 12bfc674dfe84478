import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { ManagedConnection } from '../../src/connection/managed-connection.ts';
import { Outbox, type OutboxRuntime, type WrittenSide } from '../../src/connection/outbox.ts';
import { WriteBatcher } from '../../src/connection/write-batcher.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

export const STALLED_MS = 15_000;
export const PAUSED_MS = 60_000;

/** A socket whose peer reads as much as the test allows, with the buffer and the `drain` of a real one. */
class FakeSocket extends Writable {
  /** Whether the operating system accepts everything at once. */
  isFast = false;
  taken = 0;
  readonly #pending: { bytes: number; written: (error?: Error) => void }[] = [];

  override _write(chunk: Buffer, _encoding: string, written: (error?: Error) => void): void {
    if (this.isFast) {
      this.taken += chunk.length;
      written();
    } else {
      this.#pending.push({ bytes: chunk.length, written });
    }
  }

  /** Like a real socket, it calls back for every write once it is gone. */
  override _destroy(error: Error | null, destroyed: (error: Error | null) => void): void {
    for (const { written } of this.#pending.splice(0)) written();
    destroyed(error);
  }

  /** Lets the peer read the oldest frame. */
  take(): void {
    const oldest = this.#pending.shift();
    if (oldest === undefined) return;
    this.taken += oldest.bytes;
    oldest.written();
  }

  takeAll(): void {
    while (this.#pending.length > 0) this.take();
  }

  /** Makes the write in progress fail. */
  break(error: Error): void {
    this.#pending.shift()?.written(error);
  }
}

export interface Marks {
  high: number;
  low: number;
}

/** An outbox over a fake socket, with a connection that records its reports. */
export class OutboxBench {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, 100);
  readonly log: string[] = [];
  readonly socket = new FakeSocket();
  readonly outbox: Outbox;
  /** How long reading has been paused. */
  pausedMs = 0;
  /** The part of that time for handlers that fall behind. */
  handlersPausedMs = 0;

  constructor(marks: Partial<Marks> = {}) {
    const { high = 100_000, low = 25_000 } = marks;
    const { socket, log, wheel } = this;
    const bench = this;
    const context = {
      wheel,
      writeBatcher: new WriteBatcher(this.clock),
      limits: { outboxHighBytes: high, outboxLowBytes: low },
      timeouts: { stalledMs: STALLED_MS, pausedMs: PAUSED_MS },
    };
    const connection = {
      context,
      get readingMs() {
        return wheel.nowMs - bench.pausedMs;
      },
      get handlersPausedMs() {
        return bench.handlersPausedMs;
      },
      transport: {
        noteWritten: () => {},
        get bufferedBytes() {
          return socket.writableLength;
        },
        get flushMark() {
          return socket.taken;
        },
      },
      side: {
        socketEvents: { sendErrored: (error: Error) => log.push(`sendErrored ${error.message}`) },
        ownFramesWait: () => {},
        spaceFound: () => log.push('space'),
      },
      chart: { send: (fact: string) => log.push(fact) },
      end: (cause: string) => {
        log.push(`end ${cause}`);
        this.outbox.stop();
      },
    };
    this.outbox = new Outbox(
      socket as unknown as Socket,
      connection as unknown as ManagedConnection<WrittenSide>,
      context as unknown as OutboxRuntime,
    );
    socket.on('error', () => {});
  }

  /** Sends a frame as the only one of its turn. */
  write(bytes: number) {
    const result = this.outbox.send(Buffer.alloc(bytes));
    this.endTurn();
    return result;
  }

  endTurn(): void {
    this.clock.step(0);
  }

  /** What has reached the socket, as text, one string for each write. */
  watchWrites(): string[] {
    const seen: string[] = [];
    this.socket._write = (chunk: Buffer, _encoding, written) => {
      seen.push(chunk.toString());
      written();
    };
    return seen;
  }

  /** Writes frames of this size until one is refused. Returns the number of accepted ones. */
  fill(bytes: number): number {
    let accepted = 0;
    while (this.write(bytes) !== 'refused') accepted += 1;
    return accepted;
  }
}

export const frame = (text: string): Buffer => Buffer.from(text);
