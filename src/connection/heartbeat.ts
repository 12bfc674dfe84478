import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { ConnectionCore } from './connection-core.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/** A ping that was sent, and the state of the connection at that moment. */
interface Ping {
  /** In `readingMs`. */
  readonly sentAtMs: number;
  readonly readBytes: number;
  /** The transport's flush mark; `null` when it had no backlog. */
  readonly backlogMark: number | null;
  /** Half of the grace has passed: the peer is suspect. */
  isMissed: boolean;
}

/**
 * Proof of life for one connection.
 *
 * ```
 * quiet ──(interval without a byte)──▶ pinged ──(grace/2)──▶ suspect ──(grace/2)──▶ lost
 *   ▲                                    │ any byte of the peer, or │
 *   └────────────────────────────────────┴─ progress of a backlog ──┘
 * ```
 * Only what arrives after the ping counts. Progress of a backlog is proof, because the peer must have made room. Bytes
 * that only fit into the buffer of the kernel prove nothing.
 *
 * The time stands still while reading is paused. A resume continues it and does not restart it: otherwise a connection
 * that pauses often would never notice that its peer has vanished.
 */
export class Heartbeat implements DeadlineOwner {
  readonly #connection: ConnectionCore;
  readonly #context: SharedRuntime;
  /** Reused: a new deadline each time would live long enough to become old garbage, which is the most expensive to collect. */
  readonly #deadline: Deadline;
  /** When something last arrived, in `readingMs`. */
  #heardAtMs: number;
  /** The ping that has no answer yet; `null` if there is none. */
  #ping: Ping | null = null;

  /** The first ping comes at a staggered time in the first interval, to spread connections that open at the same time. */
  constructor(connection: ConnectionCore, context: SharedRuntime) {
    this.#connection = connection;
    this.#context = context;
    this.#heardAtMs = connection.readingMs - context.heartbeat.intervalMs;
    const firstMs =
      context.heartbeat.intervalMs *
      context.heartbeatStagger.next((error) => connection.randomErrored(error));
    this.#deadline = context.wheel.schedule(firstMs, this);
  }

  /** Notes that something arrived. */
  heard(): void {
    this.#heardAtMs = this.#connection.readingMs;
    if (this.#ping !== null) this.#answered(this.#ping);
  }

  /** Pings now, unless a ping is already waiting for its answer. */
  probe(): void {
    if (this.#ping === null && !this.#connection.transport.isPaused) this.#sendPing();
  }

  /** Reading resumes: the answer gets the time that was left before the pause. */
  resumed(): void {
    if (this.#ping !== null) this.#look(this.#leftMs(this.#ping));
  }

  stop(): void {
    this.#context.wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    const ping = this.#ping;
    if (ping !== null && this.#alive(ping)) this.#answered(ping);
    else if (this.#connection.transport.isPaused) this.#pingUnheard();
    else if (ping === null) this.#lookAtQuiet();
    else if (this.#leftMs(ping) > 0) this.#look(this.#leftMs(ping));
    else this.#missed(ping);
  }

  #lookAtQuiet(): void {
    const leftMs = this.#quietLeftMs;
    if (leftMs > 0) this.#look(leftMs);
    else this.#sendPing();
  }

  /** How much longer the peer may be silent before it is pinged. */
  get #quietLeftMs(): number {
    const silentMs = this.#connection.readingMs - this.#heardAtMs;
    return this.#context.heartbeat.intervalMs - silentMs;
  }

  /** How much of this half of the grace is left. */
  #leftMs({ isMissed, sentAtMs }: Ping): number {
    const { graceMs } = this.#context.heartbeat;
    return sentAtMs + (isMissed ? graceMs : graceMs / 2) - this.#connection.readingMs;
  }

  /**
   * While this side does not read, it expects no answer. It still pings, because the write fails if the peer is gone.
   */
  #pingUnheard(): void {
    this.#look(this.#context.heartbeat.intervalMs);
    this.#connection.transport.ping();
  }

  #sendPing(): void {
    const { graceMs } = this.#context.heartbeat;
    const { transport } = this.#connection;
    this.#ping = {
      sentAtMs: this.#connection.readingMs,
      readBytes: transport.bytesIn,
      backlogMark: transport.bufferedBytes > 0 ? transport.flushMark : null,
      isMissed: false,
    };
    this.#look(graceMs / 2);
    this.#connection.transport.ping();
  }

  #alive({ readBytes, backlogMark }: Ping): boolean {
    const { transport } = this.#connection;
    if (transport.bytesIn > readBytes) return true;
    return backlogMark !== null && transport.flushMark !== backlogMark;
  }

  /** Bytes of an incomplete frame do not set `#heardAtMs`, so the time of the ping is the latest that is certain. */
  #answered({ isMissed, sentAtMs }: Ping): void {
    this.#ping = null;
    this.#heardAtMs = Math.max(this.#heardAtMs, sentAtMs);
    this.#look(this.#quietLeftMs);
    if (isMissed) this.#connection.chart.send('heartbeat.answered');
  }

  #missed(ping: Ping): void {
    if (ping.isMissed) {
      this.#connection.end('heartbeat-timeout');
      return;
    }
    ping.isMissed = true;
    this.#look(this.#context.heartbeat.graceMs / 2);
    this.#connection.chart.send('heartbeat.missed');
  }

  #look(delayMs: number): void {
    this.#context.wheel.postpone(this.#deadline, delayMs);
  }
}
