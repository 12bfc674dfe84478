import type { PortContext } from '../connection/port-host.ts';
import { beatRequest } from '../core/beat.ts';
import { messageFrame } from '../core/frame.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { AcceptedPort } from './accepted-port.ts';

const request = messageFrame(beatRequest);

/**
 * Asks whether the code of a peer runs, where the beat was agreed on.
 *
 * Only messages count: a browser answers pings for a page that is frozen. It asks at open, then after every
 * `intervalMs` without a message; a page that does not answer within `graceMs` is asleep until it does. Time in which
 * reading is paused does not count.
 */
export class Beat implements DeadlineOwner {
  readonly #port: AcceptedPort;
  readonly #context: PortContext;
  readonly #deadline: Deadline;
  /** In the time of `readingMs`. */
  #heardAtMs: number;
  #isAsked = true;
  #isAsleep = false;

  constructor(port: AcceptedPort, context: PortContext) {
    this.#port = port;
    this.#context = context;
    this.#heardAtMs = port.readingMs - context.heartbeat.intervalMs;
    port.outbox?.send(request);
    this.#deadline = context.wheel.schedule(context.heartbeat.graceMs, this, 'beat');
  }

  /** A message arrived. */
  heard(): void {
    const { wheel, heartbeat } = this.#context;
    this.#heardAtMs = this.#port.readingMs;
    if (this.#isAsked) {
      this.#isAsked = false;
      wheel.postpone(this.#deadline, heartbeat.intervalMs);
    }
    if (this.#isAsleep) {
      this.#isAsleep = false;
      this.#port.tell('beat.answered');
    }
  }

  stop(): void {
    this.#context.wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    const { heartbeat } = this.#context;
    const silentMs = this.#port.readingMs - this.#heardAtMs;
    const dueMs = heartbeat.intervalMs + (this.#isAsked ? heartbeat.graceMs : 0);
    if (silentMs < dueMs) this.#look(dueMs - silentMs);
    else if (this.#isAsked) this.#judge();
    else {
      this.#isAsked = true;
      this.#port.outbox?.send(request);
      this.#look(heartbeat.graceMs);
    }
  }

  /** What is not read cannot be heard, and what waits here cannot be answered. */
  #judge(): void {
    const { wire } = this.#port;
    if (wire.isPaused || wire.bufferedBytes > 0) {
      this.#look(this.#context.heartbeat.graceMs);
      return;
    }
    // Told again each time: a peer that was suspect meanwhile is healthy for the chart.
    this.#isAsked = false;
    this.#isAsleep = true;
    this.#look(this.#context.heartbeat.intervalMs);
    this.#port.tell('beat.missed');
  }

  #look(delayMs: number): void {
    this.#context.wheel.postpone(this.#deadline, delayMs);
  }
}
