import { runAll } from '../core/guard.ts';

/**
 * The queue of calls to user code, in the order in which things happened. A supervisor and everything below it share
 * one.
 *
 * User code must not run while a chart takes a step, or while a fan-out writes to its members. It would see an
 * unfinished step, and its publications and closes would overtake the rest. So such calls are added here, and are
 * delivered when nothing holds the queue. Calls that user code causes go to the end of the queue, so all listeners
 * receive one event before the next.
 */
export class Notifications {
  #due: (() => void)[] = [];
  /** Delivered when the queue is empty. */
  readonly #last: (() => void)[] = [];
  #delivered = 0;
  #holds = 0;
  #isDelivering = false;

  /** Delivers a notification now, or as soon as nothing holds the queue. */
  add(notification: () => void): void {
    // Mostly the only one: `push` onto an empty list would make room for sixteen others.
    if (this.#due.length === 0) this.#due = [notification];
    else this.#due.push(notification);
    this.#deliver();
  }

  /** Delivers a notification after all others, and after those that they add. */
  addLast(notification: () => void): void {
    this.#last.push(notification);
    this.#deliver();
  }

  /** Holds the queue until {@link release}. Calls may be nested. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    this.#deliver();
  }

  /** Holds the queue while `run` runs. */
  during(run: () => void): void {
    this.hold();
    try {
      run();
    } finally {
      this.release();
    }
  }

  /** Delivers in a loop, and not by recursion, because a notification may add others. */
  #deliver(): void {
    if (this.#holds > 0 || this.#isDelivering || this.#isEmpty) return;
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

  get #isEmpty(): boolean {
    return this.#due.length === 0 && this.#last.length === 0;
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
