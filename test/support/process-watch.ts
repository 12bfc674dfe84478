import assert from 'node:assert/strict';
import { turns } from './until.ts';

/** Records what would have ended a process: uncaught exceptions and unhandled rejections. */
export class ProcessWatch {
  readonly faults: unknown[] = [];
  readonly #record = (fault: unknown) => void this.faults.push(fault);

  constructor() {
    process.on('uncaughtException', this.#record);
    process.on('unhandledRejection', this.#record);
  }

  /** Asserts that there were none, including pending ones. */
  async assertQuiet(): Promise<void> {
    // RxJS throws uncaught errors from a timer. A rejection is known once the microtasks have run.
    await new Promise((resolve) => setTimeout(resolve, 1));
    await turns(2);
    assert.deepEqual(this.faults, []);
  }

  stop(): void {
    process.off('uncaughtException', this.#record);
    process.off('unhandledRejection', this.#record);
  }
}
