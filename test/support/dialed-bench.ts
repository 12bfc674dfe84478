import { OutboundOutbox } from '../../src/client/outbound-outbox.ts';
import type { ManagedConnection } from '../../src/connection/managed-connection.ts';
import type { SharedRuntime } from '../../src/connection/shared-runtime.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import type { OutboundTransport } from '../../src/transport/transport.ts';
import { type Marks, PAUSED_MS, STALLED_MS } from './outbox-bench.ts';

/** The outbox of a dialed connection, over a fake transport whose peer reads as much as the test allows. */
export class DialedBench {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, 100);
  readonly log: string[] = [];
  readonly outbox: OutboundOutbox;
  /** How long reading has been paused. */
  pausedMs = 0;
  /** The part of that time for handlers that fall behind. */
  handlersPausedMs = 0;
  /** What the connection does about `outbox.filled`. */
  whenFilled = () => {};
  /** The messages that are lost. */
  readonly lost: unknown[] = [];
  #progressed = () => {};
  readonly #transport = {
    ...{ isWritable: true, bytesOut: 0, bufferedBytes: 0, flushMark: 0 },
    get leftBytes(): number {
      return this.bytesOut - this.bufferedBytes;
    },
    watchWrites: (progressed: () => void) => {
      this.#progressed = progressed;
    },
  };

  constructor({ high = 100_000, low = 25_000 }: Partial<Marks> = {}) {
    const bench = this;
    const { wheel, log } = this;
    const transport = Object.assign(this.#transport, {
      send: (payload: Uint8Array) => {
        this.#transport.bytesOut += payload.length;
        this.#transport.bufferedBytes += payload.length;
        return null;
      },
    });
    const context = {
      wheel,
      limits: { outboxHighBytes: high, outboxLowBytes: low },
      timeouts: { stalledMs: STALLED_MS, pausedMs: PAUSED_MS },
    } as unknown as SharedRuntime;
    const connection = {
      context,
      transport,
      get readingMs() {
        return wheel.nowMs - bench.pausedMs;
      },
      get handlersPausedMs() {
        return bench.handlersPausedMs;
      },
      chart: {
        send: (fact: string) => {
          log.push(fact);
          if (fact === 'outbox.filled') this.whenFilled();
        },
      },
      end: (cause: string) => {
        log.push(`end ${cause}`);
        this.outbox.stop();
      },
    };
    this.outbox = new OutboundOutbox(
      transport as unknown as OutboundTransport,
      connection as unknown as ManagedConnection,
      {
        messageLost: ({ message, settle }) => {
          this.lost.push(message);
          settle?.('lost');
        },
        roomFound: () => log.push('room'),
      },
    );
  }

  write(bytes: number) {
    return this.outbox.send(new Uint8Array(bytes));
  }

  /** Lets the peer read this many bytes. */
  take(bytes: number): void {
    this.#transport.bufferedBytes -= bytes;
    this.#transport.flushMark += bytes;
    this.#progressed();
  }
}
