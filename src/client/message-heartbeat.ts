import type { ChartSystem } from '../chart/chart-system.ts';
import type { ConnectionCore } from '../connection/connection-core.ts';
import type { Contract } from '../core/contract.ts';
import { guarded, settledNow } from '../core/guard.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { ErrorReporter } from './reconnect/reconnect-policy.ts';

/** A heartbeat message that was sent, and the state of the connection since. */
interface AwaitedAnswer {
  /** When the message left, or when bytes before it last left, in `readingMs`. */
  sinceMs: number;
  /** The number of bytes that have left when the message has left. */
  readonly leftMark: number;
  hasLeft: boolean;
  flushMark: number;
  /** Half of the grace has passed: the peer is suspect. */
  isMissed: boolean;
}

/** What the watch of a peer needs of the client. */
export interface WatchParts {
  readonly runtime: {
    readonly options: Pick<ResolvedClientOptions, 'heartbeat' | 'silentMs'>;
    readonly contract: Pick<Contract<never, never>, 'encode'>;
  };
  readonly charts: Pick<ChartSystem, 'notifications'>;
  readonly streams: ErrorReporter;
}

/**
 * Sends the heartbeat messages of one connection, and expects the peer to answer with a message.
 *
 * ```
 * quiet ──(everyMs of silence, or always)──▶ sent ──(grace/2 without a message)──▶ suspect ──(grace/2)──▶ lost
 *   ▲                                         │                                       │
 *   └─────────────────────────── any message of the peer ─────────────────────────────┘
 * ```
 * Bytes prove nothing here: a proxy, or the system of a peer whose service hangs, accepts bytes and answers pings. The
 * grace begins when the message has left this process, and stands still while reading is paused. Messages still leave
 * during a pause, because the peer may end a connection on which it receives nothing.
 */
export class MessageHeartbeat implements DeadlineOwner {
  readonly #connection: ConnectionCore;
  readonly #parts: WatchParts;
  readonly #send: (message: unknown) => string;
  readonly #deadline: Deadline;
  /** Both in the time of the wheel. Pauses count, because the peer also counts them. */
  #sentAtMs: number;
  #heardAtMs: number;
  #awaited: AwaitedAnswer | null = null;
  #isStopped = false;

  /** @param send - sends one message; returns `refused` if it cannot leave. */
  constructor(connection: ConnectionCore, parts: WatchParts, send: (message: unknown) => string) {
    const { wheel } = connection.context;
    this.#connection = connection;
    this.#parts = parts;
    this.#send = send;
    this.#deadline = wheel.schedule(this.#options.everyMs, this);
    this.#sentAtMs = wheel.nowMs;
    this.#heardAtMs = wheel.nowMs;
  }

  /** A message of the peer arrived. */
  heard(): void {
    const awaited = this.#awaited;
    this.#heardAtMs = this.#connection.context.wheel.nowMs;
    if (awaited === null || this.#isStopped) return;
    this.#awaited = null;
    this.#look();
    if (awaited.isMissed) this.#connection.chart.send('heartbeat.answered');
  }

  /** Sends a message now, unless one is already waiting for its answer. */
  probe(): void {
    if (this.#awaited === null && !this.#isPaused) this.#beat();
  }

  stop(): void {
    this.#isStopped = true;
    this.#connection.context.wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    if (this.#awaited !== null && !this.#isPaused) this.#judge(this.#awaited);
    if (this.#untilNextMs <= 0) this.#beat();
    else this.#look();
  }

  get #options() {
    return this.#parts.runtime.options.heartbeat;
  }

  get #isPaused(): boolean {
    return this.#connection.transport.isPaused;
  }

  /**
   * How long until the next message is due. An awaited answer holds it back, except with `always` or while reading is
   * paused.
   */
  get #untilNextMs(): number {
    const { always, everyMs } = this.#options;
    if (this.#awaited !== null && !always && !this.#isPaused) return Number.POSITIVE_INFINITY;
    const sinceMs = always ? this.#sentAtMs : Math.max(this.#sentAtMs, this.#heardAtMs);
    return sinceMs + everyMs - this.#connection.context.wheel.nowMs;
  }

  /** How much of this half of the grace is left. */
  #leftMs({ sinceMs, isMissed }: AwaitedAnswer): number {
    const { graceMs } = this.#options;
    return sinceMs + (isMissed ? graceMs : graceMs / 2) - this.#connection.readingMs;
  }

  #judge(awaited: AwaitedAnswer): void {
    this.#noteProgress(awaited);
    if (this.#leftMs(awaited) > 0) return;
    if (awaited.isMissed) {
      this.#connection.end('heartbeat-timeout');
      return;
    }
    awaited.isMissed = true;
    this.#connection.chart.send('heartbeat.missed');
  }

  /** A peer that takes a backlog cannot have read the message that waits behind it. */
  #noteProgress(awaited: AwaitedAnswer): void {
    const { flushMark, bytesOut, bufferedBytes } = this.#connection.transport;
    if (awaited.hasLeft || flushMark === awaited.flushMark) return;
    awaited.flushMark = flushMark;
    awaited.hasLeft = bytesOut - bufferedBytes >= awaited.leftMark;
    awaited.sinceMs = this.#connection.readingMs;
  }

  /** The message may be a function of the application, which must not run inside a step. */
  #beat(): void {
    const { charts, streams } = this.#parts;
    this.#sentAtMs = this.#connection.context.wheel.nowMs;
    this.#look();
    charts.notifications.add(() =>
      guarded(() => this.#write(), streams.report('heartbeat.message')),
    );
  }

  #write(): void {
    if (this.#isStopped) return;
    const { message, expects } = this.#options;
    const made = typeof message === 'function' ? message() : message;
    const written = this.#send(settledNow('heartbeat.message', made));
    if (written === 'refused' || expects === undefined) return;
    const { bytesOut, bufferedBytes, flushMark } = this.#connection.transport;
    this.#awaited ??= {
      sinceMs: this.#connection.readingMs,
      leftMark: bytesOut,
      hasLeft: bufferedBytes === 0,
      flushMark,
      isMissed: false,
    };
    this.#look();
  }

  #look(): void {
    if (this.#isStopped) return;
    const { wheel } = this.#connection.context;
    let judgeMs = Number.POSITIVE_INFINITY;
    if (this.#awaited !== null)
      judgeMs = this.#isPaused ? this.#options.graceMs / 2 : this.#leftMs(this.#awaited);
    wheel.postpone(this.#deadline, Math.min(judgeMs, this.#untilNextMs));
  }
}
