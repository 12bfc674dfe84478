import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { SharedRuntime } from './connection-host.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** A ping that was sent, and what was known of the connection at that moment. */
interface Ping {
  /** In the time of `readingMs`. */
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
 * Only what arrives after the ping counts. Progress of a backlog is proof because the peer must have made
 * room; bytes that merely fit into the kernel's buffer prove nothing.
 *
 * The time stands still while reading is paused. It goes on at a resume and does not start again: otherwise a vanished peer
 * would never be found in a connection that is paused and resumed often.
 */
export class Heartbeat implements DeadlineOwner {
  readonly #connection: ManagedConnection;
  readonly #context: SharedRuntime;
  /** Used again for each look: a new one each time would be old garbage by then, which costs most to collect. */
  readonly #deadline: Deadline;
  /** When something last arrived, in the time of `readingMs`. */
  #heardAtMs: number;
  /** What is waited for; `null` while it is quiet. */
  #ping: Ping | null = null;

  /** Begins with a ping somewhere in the first interval, so that a crowd that came at once spreads out. */
  constructor(connection: ManagedConnection, context: SharedRuntime) {
    this.#connection = connection;
    this.#context = context;
    this.#heardAtMs = connection.readingMs - context.heartbeat.intervalMs;
    const firstMs =
      context.heartbeat.intervalMs *
      context.heartbeatStagger.next((error) => connection.randomErrored(error));
    this.#deadline = context.wheel.schedule(firstMs, this, 'heartbeat');
  }

  /** Notes that something arrived. */
  heard(): void {
    this.#heardAtMs = this.#connection.readingMs;
    if (this.#ping !== null) this.#answered(this.#ping);
  }

  /** Pings now, however long the silence, unless an answer is awaited already. */
  probe(): void {
    if (this.#ping === null && !this.#connection.transport.isPaused) this.#sendPing();
  }

  /** Reading resumes: an answer has the time that was left when it paused. */
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

  /** A peer that is not read is not judged. The ping is written because a write fails when the peer is gone. */
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

  /** Bytes of an unfinished frame carry no stamp: the ping is the latest moment that is certain. */
  #answered({ isMissed, sentAtMs }: Ping): void {
    this.#ping = null;
    this.#heardAtMs = Math.max(this.#heardAtMs, sentAtMs);
    this.#look(this.#quietLeftMs);
    if (isMissed) this.#connection.send('heartbeat.answered');
  }

  #missed(ping: Ping): void {
    if (ping.isMissed) {
      this.#connection.end('heartbeat-timeout');
      return;
    }
    ping.isMissed = true;
    this.#look(this.#context.heartbeat.graceMs / 2);
    this.#connection.send('heartbeat.missed');
  }

  #look(delayMs: number): void {
    this.#context.wheel.postpone(this.#deadline, delayMs);
  }
}
