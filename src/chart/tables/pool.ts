import type { ChartTable } from '../table.ts';

/** Made from `machines/pool.ts` by `npm run tables`. */
export const poolTable: ChartTable = {
  name: 'pool',
  orders: [['beginDrain'], ['finish'], ['expireAll']],
  start: [['starting'], []],
  final: ['stopped'],
  edges: {
    '': {},
    starting: {
      'pool.filled': [['operational'], []],
      'pool.thinned': [['degraded'], []],
      'drain.requested': [['draining.closing'], [0]],
    },
    operational: {
      'pool.thinned': [['degraded'], []],
      'drain.requested': [['draining.closing'], [0]],
    },
    degraded: {
      'pool.filled': [['operational'], []],
      'drain.requested': [['draining.closing'], [0]],
    },
    draining: { 'pool.emptied': [['stopped'], [1]] },
    'draining.closing': { 'deadline.passed': [['draining.expiring'], [2]] },
    'draining.expiring': { 'deadline.passed': [['stopped'], [1]] },
    stopped: {},
  },
};
