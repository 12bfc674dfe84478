import type { ChartTable } from '../table.ts';

/** Made from `machines/supervisor.ts` by `npm run tables`. */
export const supervisorTable: ChartTable = {
  name: 'supervisor',
  orders: [
    ['announceSuspended'],
    ['beginDrain'],
    ['recordCrash'],
    ['announceAdmitting'],
    ['finish'],
    ['expireAll'],
  ],
  start: [['admitting'], []],
  final: ['stopped'],
  edges: {
    '': { 'connection.crashed': [[], [2]] },
    admitting: {
      'suspend.requested': [['suspended'], [0]],
      'drain.requested': [['draining.closing'], [1]],
    },
    suspended: {
      'admit.requested': [['admitting'], [3]],
      'drain.requested': [['draining.closing'], [1]],
    },
    draining: { 'fleet.emptied': [['stopped'], [4]] },
    'draining.closing': { 'deadline.passed': [['draining.expiring'], [5]] },
    'draining.expiring': { 'deadline.passed': [['stopped'], [4]] },
    stopped: {},
  },
};
