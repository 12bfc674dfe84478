import type { ChartSystem } from '../chart/chart-system.ts';
import type { SharedRuntime } from '../connection/connection-host.ts';
import { holdProcess, systemClock } from '../core/clock.ts';
import { type CloseFrame, checkedCloseFrame } from '../core/close-code.ts';
import * as defaults from '../core/defaults.ts';
import type { DrainReport, UntimedEvent } from '../core/events.ts';
import { runEach } from '../core/guard.ts';
import { drainCall, integer, integers, type Rule, resolved, text } from '../core/option-rules.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { drainingRefusal } from './admission.ts';
import type { Children } from './children.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { Registry } from './registry.ts';
import type { DrainOptions } from './supervisor-types.ts';

/** Every client understands it, and a Mooring client comes back after its first backoff (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001;

const drainRules = {
  ...integers(defaults.drain),
  code: integer(GOING_AWAY, [0, 65_535]),
  reason: text('draining'),
} satisfies Record<keyof DrainOptions, Rule<unknown>>;

/** A drain's options, checked and filled in. */
export interface DrainPlan {
  readonly withinMs: number;
  readonly frame: CloseFrame;
  readonly perSecond: number;
}

/** @throws MooringError `invalid-options` or `invalid-close` */
export function drainPlan(options: DrainOptions): DrainPlan {
  const { withinMs, code, reason, perSecond } = resolved(options, drainRules, { call: drainCall });
  return { withinMs, perSecond, frame: checkedCloseFrame(code, reason) };
}

/** The part of the time in which closes are spread; the rest is for the handshakes to end. */
const SPREAD = 0.8;

/** Whom a drain tells, and whom it stops. */
export interface DrainObserver {
  readonly children: Children;
  /** The time is up. */
  expired(): void;
  ended(report: DrainReport): void;
}

/** What a drain needs of the fleet it empties. */
export interface DrainableFleet {
  readonly charts: ChartSystem;
  readonly context: SharedRuntime;
  readonly registry: Registry;
  readonly handlers: { readonly unsettled: number };
  readonly topics: { complete(): void };
  readonly events: { complete(): void };
  emit(event: Extract<UntimedEvent, { type: `supervisor.${string}` }>): void;
}

/**
 * Closes connections one by one at a steady pace, so that peers do not come back all at once.
 *
 * Clients and pools are stopped when that is done: until then those who are served may still need them.
 */
export class Drain implements DeadlineOwner {
  readonly #plan: DrainPlan;
  readonly #fleet: DrainableFleet;
  readonly #observer: DrainObserver;
  #waiting: InboundConnection[] = [];
  #begun = 0;
  #connections = 0;
  #forced = 0;
  #closedBefore = 0;
  #childrenAreStopped = false;
  #isExpired = false;
  #perMs = 0;
  #beganAtMs = 0;
  #pacedFromMs = 0;
  #deadline: Deadline | null = null;
  #batch: Deadline | null = null;
  #lastCall: Deadline | null = null;
  #letProcessEnd: (() => void) | null = null;

  constructor(plan: DrainPlan, fleet: DrainableFleet, observer: DrainObserver) {
    this.#plan = plan;
    this.#fleet = fleet;
    this.#observer = observer;
  }

  /** Refuses what is still being admitted and starts closing the rest. */
  begin(): void {
    const { withinMs, perSecond } = this.#plan;
    const { context, registry } = this.#fleet;
    // Timers do not keep a process alive, and somebody awaits the report.
    if (context.clock === systemClock) this.#letProcessEnd = holdProcess();
    this.#waiting = [...registry.open.values()];
    const { handshaking, closed } = registry.counts;
    this.#connections = registry.connections.size + registry.dialed.size - handshaking;
    this.#closedBefore = closed;
    this.#beganAtMs = context.clock.now();
    this.#pacedFromMs = context.wheel.nowMs;
    const paceMs = Math.min(SPREAD * withinMs, (1_000 * this.#waiting.length) / perSecond);
    this.#perMs = this.#waiting.length / Math.max(paceMs, 1);
    this.#deadline = context.wheel.schedule(withinMs, this, 'expire');
    this.#lastCall = context.wheel.schedule(SPREAD * withinMs, this, 'children');
    this.#fleet.emit({ type: 'supervisor.draining', connections: this.#connections, withinMs });
    try {
      runEach([...registry.connections], (connection) => {
        if (connection.state === 'handshaking') connection.refuse(drainingRefusal);
      });
    } finally {
      this.#closeDue();
    }
  }

  /** Destroys what has not closed by itself. */
  expire(): void {
    const { context, registry } = this.#fleet;
    context.wheel.cancel(this.#batch);
    this.#deadline = context.wheel.schedule(context.timeouts.forcedMs, this, 'expire');
    this.#isExpired = true;
    const left = [...registry.connections, ...registry.dialed];
    this.#forced = left.filter(({ state }) => state !== 'handshaking').length;
    try {
      this.#stopChildren();
    } finally {
      runEach(left, (connection) => connection.expire());
    }
  }

  /** Something has come to its end. */
  shrank(): void {
    const { registry, handlers } = this.#fleet;
    const isServing = registry.connections.size > 0 || handlers.unsettled > 0;
    if (this.#deadline !== null && !isServing) this.#stopChildren();
  }

  #stopChildren(): void {
    this.#lastCall = this.#fleet.context.wheel.cancel(this.#lastCall);
    if (this.#childrenAreStopped) return;
    this.#childrenAreStopped = true;
    this.#observer.children.stop({ code: GOING_AWAY, reason: this.#plan.frame.reason });
  }

  /** Whether nothing is left to wait for. After the deadline the application's handlers are not waited for. */
  isOver(state: string): boolean {
    const { connections, dialed } = this.#fleet.registry;
    if (state !== 'draining' || this.#deadline === null) return false;
    if (connections.size + dialed.size + this.#observer.children.size > 0) return false;
    return this.#isExpired || this.#fleet.handlers.unsettled === 0;
  }

  end(): void {
    const { context, registry } = this.#fleet;
    this.#letProcessEnd?.();
    context.wheel.cancel(this.#deadline);
    context.wheel.cancel(this.#batch);
    context.wheel.cancel(this.#lastCall);
    this.#waiting = [];
    try {
      // A socket may take longer to go than the drain may last; its report must not be lost behind the last one.
      runEach([...registry.connections, ...registry.dialed], (connection) => connection.abandon());
    } finally {
      // Behind what those connections have to report.
      this.#fleet.charts.notifications.add(() => this.#conclude());
    }
  }

  #conclude(): void {
    const { context, events, handlers, registry, topics } = this.#fleet;
    const report: DrainReport = {
      closed: registry.counts.closed - this.#closedBefore - this.#forced,
      forced: this.#forced,
      unsettled: handlers.unsettled,
      tookMs: Math.round(context.clock.now() - this.#beganAtMs),
    };
    this.#fleet.emit({ type: 'supervisor.stopped', report });
    topics.complete();
    events.complete();
    this.#observer.ended(report);
  }

  deadlinePassed(name: string): void {
    if (name === 'batch') this.#closeDue();
    else if (name === 'children') this.#stopChildren();
    else this.#observer.expired();
  }

  /** Closes what is due by now and comes back for the rest. */
  #closeDue(): void {
    const { wheel } = this.#fleet.context;
    const elapsedMs = wheel.nowMs - this.#pacedFromMs + wheel.tickMs;
    const due = Math.min(this.#waiting.length, Math.ceil(elapsedMs * this.#perMs));
    const closing = this.#waiting.slice(this.#begun, due);
    this.#begun += closing.length;
    // Before the closes: one of them may end the drain, which cancels the next batch.
    if (this.#begun < this.#waiting.length)
      this.#batch = wheel.schedule(wheel.tickMs, this, 'batch');
    runEach(closing, (connection) => connection.close('drain', this.#plan.frame));
  }
}
