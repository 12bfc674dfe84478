import { runAll } from '../core/run-each.ts';

/** Somebody who has reports to deliver. */
export interface Reporter {
  deliverReports(): void;
}

/**
 * Keeps user code out while something goes on that it must not see half done.
 *
 * A fan-out writes to one member after the other, and a member that congests or is closed by it is told about.
 * Whoever published in answer, in the middle of it, would reach some members before and others after the
 * publication that is under way.
 */
export class ReportGate {
  readonly #waiting: Reporter[] = [];
  #holds = 0;
  #isReleasing = false;

  /** Whether reports are to wait. */
  get isShut(): boolean {
    return this.#holds > 0;
  }

  /** Remembers somebody whose reports must wait. */
  add(reporter: Reporter): void {
    this.#waiting.push(reporter);
  }

  /** Runs something to its end and delivers the reports that came of it afterwards, one after the other. */
  during(run: () => void): void {
    this.#holds += 1;
    try {
      run();
    } finally {
      this.#holds -= 1;
      this.release();
    }
  }

  /** Delivers what waits, unless it must wait longer. Not by recursion: a report may begin the next fan-out. */
  release(): void {
    if (this.#holds > 0 || this.#isReleasing) return;
    this.#isReleasing = true;
    try {
      runAll(
        () => this.#waiting.shift(),
        (reporter) => reporter.deliverReports(),
      );
    } finally {
      this.#isReleasing = false;
    }
  }
}
