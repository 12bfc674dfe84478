import type { ConnectionSide } from '../connection/connection-core.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { Outbox } from '../connection/outbox.ts';
import type { SharedRuntime } from '../connection/shared-runtime.ts';
import { beatRequest } from '../core/beat.ts';
import { messageFrame } from '../core/frame.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';

const request = messageFrame(beatRequest);

type AskedConnection = ManagedConnection<ConnectionSide & { readonly outbox: Outbox | null }>;

/**
 * Checks that the code of a peer runs, on a connection with the beat.
 *
 * Only messages count, because a browser answers pings even for a frozen page. It asks when the connection opens, then after
 * every `intervalMs` without a message. A page that does not answer within `graceMs` is asleep until a message arrives. Time in
 * which reading is paused does not count.
 */
export class AppHeartbeat implements DeadlineOwner {
  readonly #connection: AskedConnection;
  readonly #context: SharedRuntime;
  readonly #deadline: Deadline;
  /** In `readingMs`. */
  #heardAtMs: number;
  #isAsked = false;
  #isAsleep = false;

  /** It begins with {@link ask}. */
  constructor(connection: AskedConnection, context: SharedRuntime) {
    this.#connection = connection;
    this.#context = context;
    this.#heardAtMs = connection.readingMs - context.heartbeat.intervalMs;
    this.#deadline = context.wheel.schedule(context.heartbeat.graceMs, this, 'beat');
  }

  /** Asks now. The write may fail and end the connection, which must find a deadline to cancel. */
  ask(): void {
    this.#isAsked = true;
    this.#look(this.#context.heartbeat.graceMs);
    this.#connection.side.outbox?.send(request);
  }

  /** Called when a message has arrived. */
  heard(): void {
    const { wheel, heartbeat } = this.#context;
    this.#heardAtMs = this.#connection.readingMs;
    if (this.#isAsked) {
      this.#isAsked = false;
      wheel.postpone(this.#deadline, heartbeat.intervalMs);
    }
    if (this.#isAsleep) {
      this.#isAsleep = false;
      this.#connection.chart.send('beat.answered');
    }
  }

  stop(): void {
    this.#context.wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    const { heartbeat } = this.#context;
    const silentMs = this.#connection.readingMs - this.#heardAtMs;
    const dueMs = heartbeat.intervalMs + (this.#isAsked ? heartbeat.graceMs : 0);
    if (silentMs < dueMs) this.#look(dueMs - silentMs);
    else if (this.#isAsked) this.#judge();
    else this.ask();
  }

  /** The peer is not to blame while reading is paused or the request may still wait in the backlog. */
  #judge(): void {
    const { transport } = this.#connection;
    if (transport.isPaused || transport.bufferedBytes > 0) {
      this.#look(this.#context.heartbeat.graceMs);
      return;
    }
    // Sent each time, because the chart takes a peer that was suspect meanwhile for healthy.
    this.#isAsked = false;
    this.#isAsleep = true;
    this.#look(this.#context.heartbeat.intervalMs);
    this.#connection.chart.send('beat.missed');
  }

  #look(delayMs: number): void {
    this.#context.wheel.postpone(this.#deadline, delayMs);
  }
}
