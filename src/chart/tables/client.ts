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
  start: [['idle'], []],
  final: ['stopped', 'exhausted'],
  edges: {
    idle: { 'dial.requested': [['dialing'], [0]], 'stop.requested': [['stopped'], [1]] },
    dialing: {
      'connection.opened': [['up.settling'], [2, 3]],
      'connection.ended': [['waiting.backoff'], [4]],
      'connection.refused': [['exhausted'], [1]],
      'restarts.exceeded': [['exhausted'], [1]],
      'stop.requested': [['stopping'], [5]],
    },
    up: {
      'connection.ended': [['waiting.backoff'], [4]],
      'connection.refused': [['exhausted'], [1]],
      'restarts.exceeded': [['exhausted'], [1]],
      'network.returned': [[], [7]],
      'wake.noticed': [[], [7]],
      'stop.requested': [['stopping'], [5]],
    },
    'up.settling': { 'deadline.passed': [['up.stable'], [6]] },
    waiting: { 'dial.requested': [['dialing'], [0]], 'stop.requested': [['stopped'], [1]] },
    'waiting.backoff': {
      'deadline.passed': [['dialing'], [0]],
      'network.lost': [['waiting.offline'], [8]],
    },
    stopping: {
      'connection.ended': [['stopped'], [1]],
      'connection.refused': [['stopped'], [1]],
      'restarts.exceeded': [['stopped'], [1]],
    },
    'waiting.offline': {
      'deadline.passed': [['dialing'], [0]],
      'network.returned': [['dialing'], [0]],
      'wake.noticed': [['dialing'], [0]],
    },
  },
};
