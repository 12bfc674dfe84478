import type { Clock, TimerHandle } from './clock.ts';

/** Something that owns deadlines and is told, by name, when one has passed. */
export interface DeadlineOwner {
  deadlinePassed(name: string): void;
}

/** One scheduled deadline. Opaque; pass it to {@link TimerWheel.cancel}. */
export class Deadline {
  /** @internal */ owner: DeadlineOwner | null;
  /** @internal */ readonly name: string;
  /** @internal */ readonly dueTick: number;
  /** @internal */ previous: Deadline | null = null;
  /** @internal */ next: Deadline | null = null;

  /** @internal */
  constructor(owner: DeadlineOwner | null, name: string, dueTick: number) {
    this.owner = owner;
    this.name = name;
    this.dueTick = dueTick;
  }
}

const SLOTS = 512;

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
    if (this.#size === 0) this.#wake();
    const dueMs = this.#liveMs + this.#aliveSinceAdvanceMs() + delayMs;
    const dueTick = Math.max(this.#tick + 1, Math.ceil(dueMs / this.tickMs));
    const deadline = new Deadline(owner, name, dueTick);
    this.#link(deadline);
    return deadline;
  }

  /**
   * Forgets a deadline; doing so twice, or after it passed, changes nothing. Returns what is left of it, for
   * whoever keeps it: a deadline that is over is 64 bytes that nobody needs.
   */
  cancel(deadline: Deadline | null): null {
    if (deadline?.owner) {
      deadline.owner = null;
      this.#unlink(deadline);
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
    this.#timer = this.#clock.setTimer(nextTickMs, () => {
      this.#timer = null;
      this.#advancing = true;
      this.#clock.afterPoll(() => this.#advance());
    });
  }

  #advance(): void {
    this.#liveMs += this.#aliveSinceAdvanceMs();
    this.#advancedAt = this.#clock.now();
    const target = Math.floor(this.#liveMs / this.tickMs);
    try {
      while (this.#tick < target) this.#expireTick(++this.#tick);
    } finally {
      // Whatever an owner throws must not stop the clock of all others.
      this.#advancing = false;
      if (this.#size > 0) this.#arm();
    }
  }

  #aliveSinceAdvanceMs(): number {
    return Math.min(this.#clock.now() - this.#advancedAt, TICKS_PER_TURN_MAX * this.tickMs);
  }

  /**
   * Takes the due deadlines out before telling anyone: an owner may schedule into this very slot, and that
   * deadline belongs to a later turn.
   */
  #expireTick(tick: number): void {
    const due: Deadline[] = [];
    for (let entry = this.#slots[tick % SLOTS] ?? null; entry !== null; entry = entry.next) {
      if (entry.dueTick <= tick) due.push(entry);
    }
    for (const entry of due) {
      const { owner } = entry;
      if (owner === null) continue;
      this.cancel(entry);
      owner.deadlinePassed(entry.name);
    }
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
    this.#size -= 1;
    if (this.#size === 0) this.#rest();
  }

  #rest(): void {
    if (this.#timer === null) return;
    this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}
