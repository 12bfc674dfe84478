import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { Port } from './port.ts';
import type { PortContext } from './port-host.ts';

/** A ping that was sent, and what was known of the connection at that moment. */
interface Ping {
  readonly sentAtMs: number;
  readonly readBytes: number;
  readonly flushMark: number;
  readonly hadBacklog: boolean;
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
 */
export class Heartbeat implements DeadlineOwner {
  /** When something last arrived, in the wheel's time. */
  heardAtMs: number;

  readonly #port: Port;
  readonly #context: PortContext;
  #deadline: Deadline | null = null;
  /** What is waited for; `null` while it is quiet. */
  #ping: Ping | null = null;

  /** Begins with a ping somewhere in the first interval, so that a crowd that came at once spreads out. */
  constructor(port: Port, context: PortContext) {
    this.#port = port;
    this.#context = context;
    this.heardAtMs = context.wheel.nowMs - context.heartbeat.intervalMs;
    this.#look(context.heartbeat.intervalMs * context.random());
  }

  /** Notes that something arrived. */
  heard(): void {
    this.heardAtMs = this.#context.wheel.nowMs;
    if (this.#ping !== null) this.#answered(this.#ping);
  }

  stop(): void {
    this.#deadline = this.#context.wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    this.#deadline = null;
    const ping = this.#ping;
    if (ping === null) this.#lookAtQuiet();
    else if (this.#alive(ping)) this.#answered(ping);
    else this.#missed(ping);
  }

  #lookAtQuiet(): void {
    const { intervalMs, graceMs } = this.#context.heartbeat;
    const silentMs = this.#context.wheel.nowMs - this.heardAtMs;
    if (this.#port.wire.isPaused || silentMs < intervalMs) {
      this.#look(silentMs < intervalMs ? intervalMs - silentMs : intervalMs);
      return;
    }
    const { wire, witness } = this.#port;
    this.#ping = {
      sentAtMs: this.#context.wheel.nowMs,
      readBytes: wire.bytesIn,
      flushMark: wire.flushMark,
      hadBacklog: wire.bufferedBytes > 0,
      isMissed: false,
    };
    this.#look(graceMs / 2);
    wire.ping((error) => error && witness.sendErrored(error));
  }

  #alive({ readBytes, hadBacklog, flushMark }: Ping): boolean {
    const { wire } = this.#port;
    if (wire.isPaused || wire.bytesIn > readBytes) return true;
    return hadBacklog && wire.flushMark !== flushMark;
  }

  /** Bytes of an unfinished frame carry no stamp: the ping is the latest moment that is certain. */
  #answered({ isMissed, sentAtMs }: Ping): void {
    this.#ping = null;
    this.stop();
    this.heardAtMs = Math.max(this.heardAtMs, sentAtMs);
    const { nowMs } = this.#context.wheel;
    this.#look(this.#context.heartbeat.intervalMs - (nowMs - this.heardAtMs));
    if (isMissed) this.#port.tell('heartbeat.answered');
  }

  #missed(ping: Ping): void {
    if (ping.isMissed) {
      this.#port.end('heartbeat-timeout');
      return;
    }
    ping.isMissed = true;
    this.#look(this.#context.heartbeat.graceMs / 2);
    this.#port.tell('heartbeat.missed');
  }

  #look(delayMs: number): void {
    this.#deadline = this.#context.wheel.schedule(delayMs, this, 'heartbeat');
  }
}
