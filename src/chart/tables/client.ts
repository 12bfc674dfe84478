import type { ChartTable } from '../table.ts';

/** Made from `machines/client.ts` by `npm run tables`. */
export const clientTable: ChartTable = {
  name: 'client',
  orders: [
    ['dial'],
    ['finish'],
    ['announceUp'],
    ['startDelay', { name: 'stable' }],
    ['startDelay', { name: 'now' }],
    ['startDelay', { name: 'backoff' }],
    ['startDelay', { name: 'deferred' }],
    ['endConnection'],
    ['resetBackoff'],
    ['probe'],
    ['startDelay', { name: 'offline' }],
    ['startDelay', { name: 'awake' }],
  ],
  start: [0, []],
  shared: {
    up: {
      'ended.now': [4, [4], 0],
      'ended.backoff': [5, [5], 0],
      'ended.deferred': [6, [6], 0],
      'ended.never': [7, [1], 0],
      'restarts.exceeded': [7, [1], 0],
      'stop.requested': [8, [7], 0],
    },
    waiting: {
      'dial.requested': [1, [0], 0],
      'deadline.passed': [1, [0], 0],
      'network.lost': [10, [10], 0],
      'stop.requested': [2, [1], 0],
    },
  },
  states: [
    { value: 'idle', on: { 'dial.requested': [1, [0], 0], 'stop.requested': [2, [1], 0] } },
    {
      value: 'dialing',
      on: {
        'connection.opened': [3, [2, 3], 0],
        'ended.now': [4, [4], 0],
        'ended.backoff': [5, [5], 0],
        'ended.deferred': [6, [6], 0],
        'ended.never': [7, [1], 0],
        'restarts.exceeded': [7, [1], 0],
        'stop.requested': [8, [7], 0],
      },
    },
    { value: 'stopped', isFinal: true },
    {
      value: { up: 'settling' },
      on: {
        'deadline.passed': [9, [8], 1],
        'network.returned': [3, [9], 0],
        'wake.noticed': [3, [9], 0],
      },
    },
    { value: { waiting: 'now' }, on: {} },
    { value: { waiting: 'backoff' }, on: { 'wake.noticed': [11, [11], 1] } },
    { value: { waiting: 'deferred' }, on: {} },
    { value: 'exhausted', isFinal: true },
    {
      value: 'stopping',
      on: {
        'ended.now': [2, [1], 0],
        'ended.backoff': [2, [1], 0],
        'ended.deferred': [2, [1], 0],
        'ended.never': [2, [1], 0],
        'restarts.exceeded': [2, [1], 0],
      },
    },
    {
      value: { up: 'stable' },
      on: { 'network.returned': [9, [9], 0], 'wake.noticed': [9, [9], 0] },
    },
    {
      value: { waiting: 'offline' },
      on: { 'network.returned': [1, [0], 1], 'wake.noticed': [1, [0], 1] },
    },
    { value: { waiting: 'awake' }, on: {} },
  ],
};
