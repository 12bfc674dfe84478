import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** How a fixed loop ran on every core at the same time. */
export interface Calibration {
  /** How long the slowest one took, in milliseconds. It grows when the cores are slower than before. */
  readonly slowestMs: number;
  /** The time that passed for each unit of CPU. It exceeds 1 when other processes want the cores. */
  readonly waiting: number;
}

/** Runs the same loop on every core, whenever it is asked to, so that its times can be compared. */
export class Calibrator {
  readonly #workers = Array.from({ length: availableParallelism() }, newWorker);

  /** The first runs compile the loop. */
  async warmUp(): Promise<void> {
    for (let times = 0; times < 3; times += 1) await this.run();
  }

  async run(): Promise<Calibration> {
    const before = process.cpuUsage();
    const times = await Promise.all(this.#workers.map(timeOf));
    const { user, system } = process.cpuUsage(before);
    const passedMs = times.reduce((sum, ms) => sum + ms, 0);
    return { slowestMs: Math.max(...times), waiting: (passedMs * 1_000) / (user + system) };
  }
}

function newWorker(): Worker {
  const worker = new Worker(new URL('./calibration-loop.js', import.meta.url));
  worker.unref();
  return worker;
}

async function timeOf(worker: Worker): Promise<number> {
  worker.ref();
  worker.postMessage('run');
  const [ms] = (await once(worker, 'message')) as [number];
  worker.unref();
  return ms;
}
