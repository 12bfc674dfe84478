import { holdProcess, systemClock } from '../core/clock.ts';
import { type CloseFrame, checkedCloseFrame } from '../core/close-code.ts';
import * as defaults from '../core/defaults.ts';
import { toError } from '../core/errors.ts';
import type { DrainReport } from '../core/events.ts';
import { runEach } from '../core/guard.ts';
import { flag, integer, type Rule, resolved, text } from '../core/option-rules.ts';
import { checkOptions } from '../core/options-call.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { warnOfOtherPlan } from '../core/warnings.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/** Every client knows this code, and a Mooring client dials again after its first backoff (RFC 6455 §7.4.1). */
export const GOING_AWAY = 1001;

/** The rules for the options of a drain. */
interface DrainRules {
  readonly withinMs: Rule<number>;
  readonly code: Rule<number>;
  readonly reason: Rule<string>;
  readonly perSecond?: Rule<number>;
  readonly handOver?: Rule<boolean | undefined>;
}

function rulesWith(code: number, reason: string) {
  const withinMs = integer(defaults.drain.withinMs);
  return { withinMs, code: integer(code, [0, 65_535]), reason: text(reason) };
}

/** The drain of a supervisor closes at a pace. Otherwise all clients would come back at the same time. */
export const supervisorDrain = {
  ...rulesWith(GOING_AWAY, 'draining'),
  perSecond: integer(defaults.drain.perSecond),
  handOver: flag(undefined),
};

/** A pool has dialed its connections and does not dial them again, so it closes all at once, with 1000. */
export const poolDrain = rulesWith(1000, '');

/** The options of a drain, checked and filled in. */
export interface DrainPlan {
  readonly withinMs: number;
  /** `Infinity` closes all members at once. */
  readonly perSecond: number;
  /** Whether other processes take the clients; `undefined` if the caller has not said. */
  readonly handOver?: boolean | undefined;
  readonly frame: CloseFrame;
}

/** @throws MooringError `invalid-options` or `invalid-close` */
export function drainPlan(options: object, rules: DrainRules): DrainPlan {
  checkOptions(options, 'drain(options)', '{ withinMs: 5000 }');
  const checked = resolved(options, { ...rules });
  const { withinMs, perSecond = Number.POSITIVE_INFINITY, handOver, code, reason } = checked;
  return { withinMs, perSecond, handOver, frame: checkedCloseFrame(code, reason) };
}

/** The part of the time over which closes are spread. The rest is left for the closing handshakes. */
const SPREAD = 0.8;

/** What a drain has done to connections. */
export type DrainTally = Omit<DrainReport, 'unsettled'>;

/** What a drain needs of the supervisor or pool that it empties. */
export interface DrainParts<Member> {
  readonly runtime: SharedRuntime;
  /** Connections that have opened and not closed yet, and those that have closed so far. */
  counts(): { readonly connected: number; readonly closed: number };
  /** Sends a fact to the chart, which decides what follows. */
  send(fact: 'drain.requested' | 'deadline.passed'): void;
  close(member: Member, frame: CloseFrame): void;
  /** Stops services that the members may need: once, when no member is left or most of the time is over. */
  stopServices?(frame: CloseFrame): void;
  /** Closing or destroying a member threw, which is a bug in Mooring. User code must not run yet. */
  errored(error: Error): void;
}

/**
 * Empties a supervisor or a pool within a time: it closes members at a pace, and destroys the rest at the deadline.
 *
 * ```
 * request ─▶ chart ─▶ begin: closes at a pace ─▶ (deadline ─▶ chart ─▶ expire) ─▶ chart ─▶ end ─▶ resolve
 * ```
 * The chart of the owner decides, and the owner calls these methods as orders. Orders must not run user code, so no method
 * here does.
 */
export class Drain<Member extends object, Report extends DrainTally> implements DeadlineOwner {
  readonly #parts: DrainParts<Member>;
  /** The promise of the first call, with its plan. A further call changes nothing. */
  #drained: Promise<Report> | null = null;
  #plan: DrainPlan = { withinMs: 1, perSecond: 1, frame: { code: GOING_AWAY, reason: '' } };
  #resolve: (report: Report) => void = () => {};
  #before: { readonly atMs: number; readonly closed: number } | null = null;
  #queue: PacedQueue<Member> | null = null;
  #forced = 0;
  #areServicesStopped = false;
  #deadline: Deadline | null = null;
  #nextBatch: Deadline | null = null;
  #servicesEnd: Deadline | null = null;
  #letProcessEnd: (() => void) | null = null;

  constructor(parts: DrainParts<Member>) {
    this.#parts = parts;
  }

  get isRequested(): boolean {
    return this.#drained !== null;
  }

  get withinMs(): number {
    return this.#plan.withinMs;
  }

  /** Whether other processes take the clients; `undefined` if the caller of the drain has not said. */
  get handOver(): boolean | undefined {
    return this.#plan.handOver;
  }

  /**
   * Asks the chart for a drain. A second call receives the report of the first.
   *
   * @param options - as the caller gave them. A second call with other options causes a warning.
   */
  request(plan: DrainPlan, options: object = {}): Promise<Report> {
    if (this.#drained !== null) {
      warnOfOtherPlan(this.#plan, plan, options);
      return this.#drained;
    }
    this.#plan = plan;
    this.#drained = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#parts.send('drain.requested');
    return this.#drained;
  }

  /** Starts closing members, and starts the deadline of the drain. */
  begin(members: readonly Member[]): void {
    const { runtime, counts, stopServices } = this.#parts;
    const { clock, wheel } = runtime;
    const { withinMs, perSecond } = this.#plan;
    // The process must live until the report, and timers of a clock do not keep it alive.
    if (clock === systemClock) this.#letProcessEnd = holdProcess();
    this.#before = { atMs: clock.now(), closed: counts().closed };
    const overMs = Math.min(SPREAD * withinMs, (1_000 * members.length) / perSecond);
    this.#queue = new PacedQueue(members, overMs, wheel.nowMs);
    this.#deadline = wheel.schedule(withinMs, this, 'deadline');
    if (stopServices) this.#servicesEnd = wheel.schedule(SPREAD * withinMs, this, 'services');
    this.#closeDue();
  }

  /** Closes the members that are due, and schedules the next batch. */
  #closeDue(): void {
    const { wheel } = this.#parts.runtime;
    const due = this.#queue?.take(wheel.nowMs + wheel.tickMs) ?? [];
    // Before the closes: one of them may end the drain, which cancels the next batch.
    if (this.#queue?.isEmpty === false)
      this.#nextBatch = wheel.schedule(wheel.tickMs, this, 'batch');
    this.each(due, (member) => this.#parts.close(member, this.#plan.frame));
  }

  /** Calls `act` for each item. An error is reported, and the drain goes on. */
  each<Item extends object>(items: Iterable<Item>, act: (item: Item) => void): void {
    try {
      runEach([...items], act);
    } catch (thrown) {
      this.#parts.errored(toError(thrown));
    }
  }

  /** Stops the services, unless they are stopped already. */
  stopServices(): void {
    this.#servicesEnd = this.#parts.runtime.wheel.cancel(this.#servicesEnd);
    if (this.#areServicesStopped) return;
    this.#areServicesStopped = true;
    this.each([this.#parts], (parts) => parts.stopServices?.(this.#plan.frame));
  }

  /** The deadline has passed: destroys the rest, and starts a last deadline for their ends. */
  expire<Left extends object>(left: Iterable<Left>, destroy: (item: Left) => void, lastMs: number) {
    const { counts, runtime } = this.#parts;
    runtime.wheel.cancel(this.#nextBatch);
    this.#deadline = runtime.wheel.schedule(lastMs, this, 'deadline');
    this.#forced = counts().connected;
    this.stopServices();
    this.each(left, destroy);
  }

  /** Cancels everything. {@link resolve} follows with the report. */
  end(): void {
    const { wheel } = this.#parts.runtime;
    this.#letProcessEnd?.();
    this.#deadline = wheel.cancel(this.#deadline);
    this.#nextBatch = wheel.cancel(this.#nextBatch);
    this.#servicesEnd = wheel.cancel(this.#servicesEnd);
    this.#queue = null;
  }

  get tally(): DrainTally {
    if (this.#before === null) return { closed: 0, forced: 0, tookMs: 0 };
    const { connected, closed } = this.#parts.counts();
    return {
      closed: closed + connected - this.#before.closed - this.#forced,
      forced: this.#forced,
      tookMs: Math.round(this.#parts.runtime.clock.now() - this.#before.atMs),
    };
  }

  /** Resolves all earlier and later calls of {@link request}. */
  resolve(report: Report): void {
    this.#drained ??= Promise.resolve(report);
    this.#resolve(report);
  }

  deadlinePassed(name: string): void {
    if (name === 'services') this.stopServices();
    else if (name === 'deadline') this.#parts.send('deadline.passed');
    else this.#closeDue();
  }
}

/** Members that become due at a steady pace. */
class PacedQueue<Member> {
  readonly #members: readonly Member[];
  readonly #perMs: number;
  readonly #sinceMs: number;
  #taken = 0;

  constructor(members: readonly Member[], overMs: number, nowMs: number) {
    this.#members = members;
    this.#perMs = members.length / Math.max(overMs, 1);
    this.#sinceMs = nowMs;
  }

  get isEmpty(): boolean {
    return this.#taken >= this.#members.length;
  }

  /** Takes the members that are due by `untilMs`. */
  take(untilMs: number): Member[] {
    const due = Math.ceil((untilMs - this.#sinceMs) * this.#perMs);
    const taken = this.#members.slice(this.#taken, due);
    this.#taken += taken.length;
    return taken;
  }
}
