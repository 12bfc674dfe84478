import assert from 'node:assert/strict';
import { turns } from './until.ts';

/** Records what would have ended a process: exceptions and rejections that nobody caught. */
export class ProcessWatch {
  readonly faults: unknown[] = [];
  readonly #record = (fault: unknown) => void this.faults.push(fault);

  constructor() {
    process.on('uncaughtException', this.#record);
    process.on('unhandledRejection', this.#record);
  }

  /** Asserts that there was nothing, also nothing that was on its way. */
  async assertQuiet(): Promise<void> {
    // RxJS throws what nobody caught from a timer; a rejection is known once the microtasks are done.
    await new Promise((resolve) => setTimeout(resolve, 1));
    await turns(2);
    assert.deepEqual(this.faults, []);
  }

  stop(): void {
    process.off('uncaughtException', this.#record);
    process.off('unhandledRejection', this.#record);
  }
}
