import { runAll } from '../core/guard.ts';

/**
 * What is on its way to user code, in the order in which it happened. One for a supervisor and everything below it.
 *
 * User code must not run while a chart takes a step, or while a fan-out writes to its members: it would see half of
 * it, and what it publishes or closes would overtake the rest. Whatever reaches user code is added here instead, and
 * delivered when nothing holds it up. What user code does in answer is delivered after everything that is here already, so
 * all listeners hear of each thing before the next.
 */
export class Notifications {
  #due: (() => void)[] = [];
  /** Delivered when nothing else is due. */
  readonly #last: (() => void)[] = [];
  #delivered = 0;
  #holds = 0;
  #isDelivering = false;

  /** Delivers a notification: now, or when nothing holds it up any more. */
  add(notification: () => void): void {
    this.#due.push(notification);
    this.#deliver();
  }

  /** Delivers a notification behind all others, and behind those that they cause. */
  addLast(notification: () => void): void {
    this.#last.push(notification);
    this.#deliver();
  }

  /** Holds notifications up until {@link release}. Calls may be nested. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    this.#deliver();
  }

  /** Holds notifications up while something runs. */
  during(run: () => void): void {
    this.hold();
    try {
      run();
    } finally {
      this.release();
    }
  }

  /** Not by recursion: a notification may cause the next ones. */
  #deliver(): void {
    if (this.#holds > 0 || this.#isDelivering) return;
    this.#isDelivering = true;
    try {
      runAll(
        () => this.#next(),
        (notification) => notification(),
      );
    } finally {
      this.#isDelivering = false;
    }
  }

  #next(): (() => void) | undefined {
    const next = this.#due[this.#delivered];
    this.#delivered += 1;
    if (next !== undefined) return next;
    this.#due = [];
    this.#delivered = 0;
    return this.#last.shift();
  }
}
