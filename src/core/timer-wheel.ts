import type { Clock, TimerHandle } from './clock.ts';
import { runAll, runEach } from './guard.ts';

/** Something that owns deadlines and is told, by name, when one has passed. */
export interface DeadlineOwner {
  deadlinePassed(name: string): void;
}

/** Something that wants to know when the machine, or the process, has slept. */
export interface WakeListener {
  onWake(): void;
}

/** The tick of a deadline that waits for none. */
const NEVER = -1;

/** One deadline. Opaque; pass it to {@link TimerWheel.cancel} or {@link TimerWheel.postpone}. */
export class Deadline {
  /** @internal */ readonly owner: DeadlineOwner;
  /** @internal */ readonly name: string;
  /** @internal */ dueTick = NEVER;
  /** @internal */ previous: Deadline | null = null;
  /** @internal */ next: Deadline | null = null;

  /** @internal */
  constructor(owner: DeadlineOwner, name: string) {
    this.owner = owner;
    this.name = name;
  }
}

const SLOTS = 512;

/** By how much the wall clock may run ahead of a tick before the machine must have slept, in milliseconds. */
const SLEEP_MS_MIN = 5_000;

/** Ticks that one turn may count at most; whatever a stall adds beyond them is not held against anybody. */
const TICKS_PER_TURN_MAX = 2;

/**
 * Spreads all deadlines of a supervisor over one native timer.
 *
 * The wheel counts time in which the event loop was alive. A tick is judged only after the loop has looked
 * at all waiting input, and a stalled loop (or a suspended machine) advances the wheel by two ticks at
 * most: deadlines stretch by the measured lateness instead of killing peers whose answers were waiting in
 * the kernel. A deadline fires up to one tick late and never early.
 *
 * ```
 * native timer ─▶ poll phase (pongs, closes, data are read) ─▶ check phase: advance, expire
 * ```
 */
export class TimerWheel {
  /** Tick length in milliseconds. */
  readonly tickMs: number;

  /** Told after the machine, or the process, has slept for a while; deadlines have slept as well. */
  readonly whenWoken = new Set<WakeListener>();

  readonly #clock: Clock;
  readonly #slots: (Deadline | null)[] = new Array(SLOTS).fill(null);
  #timer: TimerHandle | null = null;
  #advancing = false;
  #size = 0;
  #tick = 0;
  #liveMs = 0;
  #advancedAt = 0;

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock;
    this.tickMs = tickMs;
  }

  /** Milliseconds during which the loop was alive, in steps of a tick; stands still while the wheel is empty. */
  get nowMs(): number {
    return this.#liveMs;
  }

  /** Deadlines that are pending. */
  get size(): number {
    return this.#size;
  }

  /** Tells `owner` once, `delayMs` from now, that the deadline `name` has passed. */
  schedule(delayMs: number, owner: DeadlineOwner, name: string): Deadline {
    const deadline = new Deadline(owner, name);
    this.postpone(deadline, delayMs);
    return deadline;
  }

  /** Lets a deadline, over or not, pass `delayMs` from now. For whoever needs one again and again. */
  postpone(deadline: Deadline, delayMs: number): void {
    if (this.#size === 0) this.#wake();
    if (deadline.dueTick !== NEVER) this.#unlink(deadline);
    const dueMs = this.#liveMs + this.#aliveSinceAdvanceMs() + delayMs;
    deadline.dueTick = Math.max(this.#tick + 1, Math.ceil(dueMs / this.tickMs));
    this.#link(deadline);
  }

  /**
   * Forgets a deadline; doing so twice, or after it passed, changes nothing. Returns what is left of it, for
   * whoever keeps it: a deadline that is over is 64 bytes that nobody needs.
   */
  cancel(deadline: Deadline | null): null {
    if (deadline !== null && deadline.dueTick !== NEVER) {
      this.#unlink(deadline);
      if (this.#size === 0) this.#rest();
    }
    return null;
  }

  #wake(): void {
    this.#advancedAt = this.#clock.now();
    if (!this.#advancing) this.#arm();
  }

  #arm(): void {
    if (this.#timer !== null) return;
    // To the next border of a tick, not a tick from now: late timers must not add up.
    const nextTickMs = Math.ceil((this.#tick + 1) * this.tickMs - this.#liveMs);
    const dueAtWallMs = this.#clock.wallNow() + nextTickMs;
    this.#timer = this.#clock.setTimer(nextTickMs, () => {
      this.#timer = null;
      this.#advancing = true;
      this.#clock.afterPoll(() => this.#advance());
      if (this.#clock.wallNow() - dueAtWallMs >= SLEEP_MS_MIN) this.#wokeUp();
    });
  }

  #wokeUp(): void {
    runEach([...this.whenWoken], (listener) => {
      if (this.whenWoken.has(listener)) listener.onWake();
    });
  }

  #advance(): void {
    try {
      this.#liveMs += this.#aliveSinceAdvanceMs();
      this.#advancedAt = this.#clock.now();
      const due = this.#dueUpTo(Math.floor(this.#liveMs / this.tickMs));
      runAll(
        () => due.next().value,
        ({ owner, name }) => owner.deadlinePassed(name),
      );
    } finally {
      // An owner that throws must not stop the clock of all others.
      this.#advancing = false;
      if (this.#size > 0) this.#arm();
    }
  }

  #aliveSinceAdvanceMs(): number {
    return Math.min(this.#clock.now() - this.#advancedAt, TICKS_PER_TURN_MAX * this.tickMs);
  }

  /**
   * The deadlines that are due, tick by tick, each taken off the wheel. Those of a tick are collected before an owner hears
   * of any: it may schedule into this very slot, and that deadline belongs to a later turn.
   */
  *#dueUpTo(lastTick: number): Generator<Deadline, undefined> {
    while (this.#tick < lastTick) {
      this.#tick += 1;
      for (const deadline of this.#dueNow()) {
        // An owner that came before may have cancelled or postponed it.
        if (deadline.dueTick === NEVER || deadline.dueTick > this.#tick) continue;
        this.cancel(deadline);
        yield deadline;
      }
    }
    return undefined;
  }

  #dueNow(): Deadline[] {
    const due: Deadline[] = [];
    for (let entry = this.#slots[this.#tick % SLOTS] ?? null; entry !== null; entry = entry.next) {
      if (entry.dueTick <= this.#tick) due.push(entry);
    }
    return due;
  }

  #link(deadline: Deadline): void {
    const slot = deadline.dueTick % SLOTS;
    const first = this.#slots[slot] ?? null;
    deadline.next = first;
    if (first !== null) first.previous = deadline;
    this.#slots[slot] = deadline;
    this.#size += 1;
  }

  #unlink(deadline: Deadline): void {
    const { previous, next } = deadline;
    if (previous === null) this.#slots[deadline.dueTick % SLOTS] = next;
    else previous.next = next;
    if (next !== null) next.previous = previous;
    deadline.previous = null;
    deadline.next = null;
    deadline.dueTick = NEVER;
    this.#size -= 1;
  }

  #rest(): void {
    if (this.#timer === null) return;
    this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}
