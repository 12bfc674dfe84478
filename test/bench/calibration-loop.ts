/** The thread of one core in a calibration. */
import { parentPort } from 'node:worker_threads';

const ITERATIONS = 100_000_000;

let state = 1;

parentPort?.on('message', () => {
  const begunAt = performance.now();
  for (let step = 0; step < ITERATIONS; step += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
  }
  parentPort?.postMessage(performance.now() - begunAt);
});
