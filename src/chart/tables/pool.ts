import type { ChartTable } from '../table.ts';

/** Made from `machines/pool.ts` by `npm run tables`. */
export const poolTable: ChartTable = {
  name: 'pool',
  orders: [['beginDrain'], ['finish'], ['expireAll']],
  start: [0, []],
  shared: { draining: { 'pool.emptied': [4, [1], 0] } },
  states: [
    {
      value: 'starting',
      on: { 'pool.filled': [1, [], 0], 'pool.thinned': [2, [], 0], 'drain.requested': [3, [0], 0] },
    },
    { value: 'operational', on: { 'pool.thinned': [2, [], 0], 'drain.requested': [3, [0], 0] } },
    { value: 'degraded', on: { 'pool.filled': [1, [], 0], 'drain.requested': [3, [0], 0] } },
    { value: { draining: 'closing' }, on: { 'deadline.passed': [5, [2], 1] } },
    { value: 'stopped', isFinal: true },
    { value: { draining: 'expiring' }, on: { 'deadline.passed': [4, [1], 1] } },
  ],
};
