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
  start: [0, []],
  shared: { draining: { 'fleet.emptied': [3, [4], 0] } },
  states: [
    {
      value: 'admitting',
      on: {
        'suspend.requested': [1, [0], 0],
        'drain.requested': [2, [1], 0],
        'connection.crashed': [0, [2], -1],
      },
    },
    {
      value: 'suspended',
      on: {
        'admit.requested': [0, [3], 0],
        'drain.requested': [2, [1], 0],
        'connection.crashed': [1, [2], -1],
      },
    },
    {
      value: { draining: 'closing' },
      on: { 'connection.crashed': [2, [2], -1], 'deadline.passed': [4, [5], 1] },
    },
    { value: 'stopped', isFinal: true },
    {
      value: { draining: 'expiring' },
      on: { 'connection.crashed': [4, [2], -1], 'deadline.passed': [3, [4], 1] },
    },
  ],
};
