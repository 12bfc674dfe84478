import type { ChartTable } from '../table.ts';

/** Made from `machines/client.ts` by `npm run tables`. */
export const clientTable: ChartTable = {
  name: 'client',
  orders: [
    ['dial'],
    ['finish'],
    ['announceUp'],
    ['startDelay', { name: 'stable' }],
    ['startDelay', { name: 'backoff' }],
    ['endConnection'],
    ['resetBackoff'],
    ['probe'],
    ['startDelay', { name: 'offline' }],
  ],
  start: [0, []],
  shared: {
    up: {
      'connection.ended': [4, [4], 0],
      'connection.refused': [5, [1], 0],
      'restarts.exceeded': [5, [1], 0],
      'stop.requested': [6, [5], 0],
    },
    waiting: {
      'dial.requested': [1, [0], 0],
      'deadline.passed': [1, [0], 1],
      'stop.requested': [2, [1], 0],
    },
  },
  states: [
    { value: 'idle', on: { 'dial.requested': [1, [0], 0], 'stop.requested': [2, [1], 0] } },
    {
      value: 'dialing',
      on: {
        'connection.opened': [3, [2, 3], 0],
        'connection.ended': [4, [4], 0],
        'connection.refused': [5, [1], 0],
        'restarts.exceeded': [5, [1], 0],
        'stop.requested': [6, [5], 0],
      },
    },
    { value: 'stopped', isFinal: true },
    {
      value: { up: 'settling' },
      on: {
        'deadline.passed': [7, [6], 1],
        'network.returned': [3, [7], 0],
        'wake.noticed': [3, [7], 0],
      },
    },
    { value: { waiting: 'backoff' }, on: { 'network.lost': [8, [8], 1] } },
    { value: 'exhausted', isFinal: true },
    {
      value: 'stopping',
      on: {
        'connection.ended': [2, [1], 0],
        'connection.refused': [2, [1], 0],
        'restarts.exceeded': [2, [1], 0],
      },
    },
    {
      value: { up: 'stable' },
      on: { 'network.returned': [7, [7], 0], 'wake.noticed': [7, [7], 0] },
    },
    {
      value: { waiting: 'offline' },
      on: { 'network.returned': [1, [0], 1], 'wake.noticed': [1, [0], 1] },
    },
  ],
};
