import type { Clock, TimerHandle } from './clock.ts';
import { runAll, runEach } from './guard.ts';

/** Owns deadlines. The wheel calls it with the name of each deadline that has passed. */
export interface DeadlineOwner {
  deadlinePassed(name: string): void;
}

/** Called after the machine or the process has slept. */
export interface WakeListener {
  woke(): void;
}

/** The tick of a deadline that is not pending. */
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

/** If the wall clock is ahead of a tick by this many milliseconds, the machine has slept. */
const SLEEP_MS_MIN = 5_000;

/** The most ticks that one turn of the event loop counts for. The rest of a stall does not count. */
const TICKS_PER_TURN_MAX = 2;

/**
 * Spreads all deadlines of a supervisor over one native timer.
 *
 * The wheel counts only time in which the event loop was alive. It advances after the loop has read all waiting input,
 * and a stalled loop or a suspended machine advances it by two ticks at most. After a stall, deadlines therefore wait longer
 * instead of ending peers whose answers are still in the kernel. A deadline fires up to one tick late, never early.
 *
 * ```
 * native timer ─▶ poll phase (pongs, closes, data are read) ─▶ check phase: advance, expire
 * ```
 */
export class TimerWheel {
  /** Tick length in milliseconds. */
  readonly tickMs: number;

  /** Called after the machine or the process has slept. Deadlines did not run in that time. */
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

  /** Milliseconds in which the event loop was alive, in steps of a tick. It stands still while the wheel is empty. */
  get nowMs(): number {
    return this.#liveMs;
  }

  /** The number of pending deadlines. */
  get size(): number {
    return this.#size;
  }

  /** Calls `owner.deadlinePassed(name)` once, `delayMs` from now. An owner with one deadline needs no name. */
  schedule(delayMs: number, owner: DeadlineOwner, name = ''): Deadline {
    const deadline = new Deadline(owner, name);
    this.postpone(deadline, delayMs);
    return deadline;
  }

  /** Sets a deadline to `delayMs` from now, whether it is pending or not. Use it to reuse one deadline. */
  postpone(deadline: Deadline, delayMs: number): void {
    if (this.#size === 0) this.#wake();
    if (deadline.dueTick !== NEVER) this.#unlink(deadline);
    const dueMs = this.#liveMs + this.#aliveSinceAdvanceMs() + delayMs;
    deadline.dueTick = Math.max(this.#tick + 1, Math.ceil(dueMs / this.tickMs));
    this.#link(deadline);
  }

  /**
   * Cancels a deadline. Does nothing if it has passed or was cancelled before. Returns `null` for the field that held the
   * deadline, because each deadline that is kept costs 64 bytes.
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
    // To the next tick boundary, not one tick from now: the lateness of timers must not add up.
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
      if (this.whenWoken.has(listener)) listener.woke();
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
      // An owner that throws must not stop the deadlines of all others.
      this.#advancing = false;
      if (this.#size > 0) this.#arm();
    }
  }

  #aliveSinceAdvanceMs(): number {
    return Math.min(this.#clock.now() - this.#advancedAt, TICKS_PER_TURN_MAX * this.tickMs);
  }

  /**
   * Collects the due deadlines of a tick before it yields the first, because an owner may schedule a deadline into this slot
   * for a later turn of the wheel.
   */
  *#dueUpTo(lastTick: number): Generator<Deadline, undefined> {
    while (this.#tick < lastTick) {
      this.#tick += 1;
      for (const deadline of this.#dueNow()) {
        // An earlier owner may have cancelled or postponed it.
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
