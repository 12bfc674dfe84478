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
  start: [['idle'], []],
  final: ['stopped', 'exhausted'],
  edges: {
    idle: { 'dial.requested': [['dialing'], [0]], 'stop.requested': [['stopped'], [1]] },
    dialing: {
      'connection.opened': [['up.settling'], [2, 3]],
      'ended.now': [['waiting.now'], [4]],
      'ended.backoff': [['waiting.backoff'], [5]],
      'ended.deferred': [['waiting.deferred'], [6]],
      'ended.never': [['exhausted'], [1]],
      'restarts.exceeded': [['exhausted'], [1]],
      'stop.requested': [['stopping'], [7]],
    },
    up: {
      'ended.now': [['waiting.now'], [4]],
      'ended.backoff': [['waiting.backoff'], [5]],
      'ended.deferred': [['waiting.deferred'], [6]],
      'ended.never': [['exhausted'], [1]],
      'restarts.exceeded': [['exhausted'], [1]],
      'network.returned': [[], [9]],
      'wake.noticed': [[], [9]],
      'stop.requested': [['stopping'], [7]],
    },
    'up.settling': { 'deadline.passed': [['up.stable'], [8]] },
    waiting: {
      'dial.requested': [['dialing'], [0]],
      'deadline.passed': [['dialing'], [0]],
      'network.lost': [['waiting.offline'], [10]],
      'stop.requested': [['stopped'], [1]],
    },
    'waiting.backoff': { 'wake.noticed': [['waiting.awake'], [11]] },
    stopping: {
      'ended.now': [['stopped'], [1]],
      'ended.backoff': [['stopped'], [1]],
      'ended.deferred': [['stopped'], [1]],
      'ended.never': [['stopped'], [1]],
      'restarts.exceeded': [['stopped'], [1]],
    },
    'waiting.offline': {
      'network.returned': [['dialing'], [0]],
      'wake.noticed': [['dialing'], [0]],
    },
  },
};
