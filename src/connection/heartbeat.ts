import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { Port } from './port.ts';
import type { PortContext } from './port-host.ts';

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
  #phase: 'quiet' | 'pinged' | 'suspect' = 'quiet';
  #deadline: Deadline | null = null;
  #pingedAtMs = 0;
  #readAtPing = 0;
  #markAtPing = 0;
  #backlogAtPing = false;

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
    if (this.#phase !== 'quiet') this.#answered();
  }

  stop(): void {
    this.#context.wheel.cancel(this.#deadline);
    this.#deadline = null;
  }

  deadlinePassed(): void {
    this.#deadline = null;
    if (this.#phase === 'quiet') this.#lookAtQuiet();
    else if (this.#alive()) this.#answered();
    else this.#missed();
  }

  #lookAtQuiet(): void {
    const { intervalMs, graceMs } = this.#context.heartbeat;
    const silentMs = this.#context.wheel.nowMs - this.heardAtMs;
    if (this.#port.wire.isPaused || silentMs < intervalMs) {
      this.#look(silentMs < intervalMs ? intervalMs - silentMs : intervalMs);
      return;
    }
    this.#phase = 'pinged';
    this.#pingedAtMs = this.#context.wheel.nowMs;
    const { wire, witness } = this.#port;
    this.#readAtPing = wire.bytesIn;
    this.#markAtPing = wire.flushMark;
    this.#backlogAtPing = wire.bufferedBytes > 0;
    this.#look(graceMs / 2);
    wire.ping((error) => error && witness.sendErrored(error));
  }

  #alive(): boolean {
    const { wire } = this.#port;
    if (wire.isPaused || wire.bytesIn > this.#readAtPing) return true;
    return this.#backlogAtPing && wire.flushMark !== this.#markAtPing;
  }

  /** Bytes of an unfinished frame carry no stamp: the ping is the latest moment that is certain. */
  #answered(): void {
    const wasSuspect = this.#phase === 'suspect';
    this.#phase = 'quiet';
    this.stop();
    this.heardAtMs = Math.max(this.heardAtMs, this.#pingedAtMs);
    const { nowMs } = this.#context.wheel;
    this.#look(this.#context.heartbeat.intervalMs - (nowMs - this.heardAtMs));
    if (wasSuspect) this.#port.tell('heartbeat.answered');
  }

  #missed(): void {
    if (this.#phase === 'suspect') {
      this.#port.end('heartbeat-timeout');
      return;
    }
    this.#phase = 'suspect';
    this.#look(this.#context.heartbeat.graceMs / 2);
    this.#port.tell('heartbeat.missed');
  }

  #look(delayMs: number): void {
    this.#deadline = this.#context.wheel.schedule(delayMs, this, 'heartbeat');
  }
}
