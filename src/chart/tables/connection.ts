import type { ChartTable } from '../table.ts';

/** Made from `machines/connection.ts` by `npm run tables`. */
export const connectionTable: ChartTable = {
  name: 'connection',
  orders: [
    ['startDeadline', { name: 'handshake' }],
    ['dial'],
    ['upgrade'],
    ['refuseUpgrade'],
    ['finish'],
    ['startDeadline', { name: 'refusal' }],
    ['refuseWithClose'],
    ['announceOpen'],
    ['announceError'],
    ['startDeadline', { name: 'errored' }],
    ['announceClosing'],
    ['startDeadline', { name: 'close' }],
    ['startDeadline', { name: 'forced' }],
    ['destroy'],
    ['sendClose'],
    ['announceChange', { to: 'suspect' }],
    ['announceChange', { to: 'asleep' }],
    ['announceChange', { to: 'congested' }],
    ['admitMessages'],
    ['announceChange', { to: 'healthy' }],
    ['announceChange', { to: 'flowing' }],
  ],
  start: [0, [0]],
  shared: {
    handshaking: {
      'admission.refused': [3, [3, 4], 0],
      'peer.abandoned': [3, [4], 0],
      'socket.errored': [3, [4], 0],
      'socket.closed': [3, [4], 0],
    },
    open: {
      'socket.errored': [6, [8, 9], 0],
      'socket.ended': [7, [10, 11], 0],
      'socket.closed': [8, [10, 12], 0],
      'websocket.closed': [9, [4], 0],
      'peer.closing': [7, [10, 11], 0],
      'protocol.violated': [6, [8, 9], 0],
      'send.errored': [6, [13, 8, 9], 0],
      'ping.flooded': [6, [13, 8, 9], 0],
      'handler.errored': [6, [14, 8, 9], 0],
      'heartbeat.lost': [6, [13, 8, 9], 0],
      'outbox.stalled': [13, [10, 14, 11], 0],
      'welcome.expired': [13, [10, 14, 11], 0],
      'pause.expired': [13, [10, 14, 11], 0],
      'close.requested': [13, [10, 14, 11], 0],
      'fail.requested': [6, [14, 8, 9], 0],
      'terminate.requested': [15, [10, 13, 12], 0],
    },
    closing: { 'socket.closed': [8, [12], 0], 'websocket.closed': [9, [4], 0] },
  },
  states: [
    {
      value: { handshaking: 'admitting' },
      on: {
        'dial.requested': [1, [1], 1],
        'admission.granted': [2, [2], 1],
        'admission.denied': [4, [5, 6], 1],
        'deadline.passed': [3, [3, 4], 0],
      },
    },
    {
      value: { handshaking: 'dialing' },
      on: {
        'socket.opened': [5, [7], 1],
        'deadline.passed': [3, [3, 4], 0],
        'close.requested': [3, [4], 1],
        'terminate.requested': [3, [4], 1],
      },
    },
    {
      value: { handshaking: 'upgrading' },
      on: { 'socket.opened': [5, [7], 1], 'deadline.passed': [3, [3, 4], 0] },
    },
    { value: 'failed', isFinal: true },
    {
      value: { handshaking: 'refusing' },
      on: {
        'socket.ended': [3, [4], 1],
        'peer.closing': [3, [4], 1],
        'protocol.violated': [3, [4], 1],
        'deadline.passed': [3, [4], 1],
      },
    },
    {
      value: { open: { intake: 'welcoming', liveness: 'healthy', flow: 'flowing' } },
      on: {
        'heartbeat.missed': [10, [15], 4],
        'beat.missed': [11, [16], 4],
        'outbox.filled': [12, [17], 6],
        'welcome.settled': [14, [18], 2],
      },
    },
    {
      value: 'errored',
      on: {
        'socket.closed': [8, [10, 12], 0],
        'websocket.closed': [9, [4], 0],
        'deadline.passed': [15, [10, 13, 12], 0],
        'terminate.requested': [15, [10, 13, 12], 0],
      },
    },
    {
      value: { closing: 'peer' },
      on: { 'deadline.passed': [15, [13, 12], 1], 'terminate.requested': [15, [13, 12], 0] },
    },
    { value: { closing: 'reaping' }, on: { 'deadline.passed': [9, [4], 1] } },
    { value: 'closed', isFinal: true },
    {
      value: { open: { intake: 'welcoming', liveness: 'suspect', flow: 'flowing' } },
      on: {
        'heartbeat.answered': [5, [19], 4],
        'outbox.filled': [16, [17], 6],
        'welcome.settled': [17, [18], 2],
      },
    },
    {
      value: { open: { intake: 'welcoming', liveness: 'asleep', flow: 'flowing' } },
      on: {
        'heartbeat.missed': [10, [15], 4],
        'beat.answered': [5, [19], 4],
        'outbox.filled': [18, [17], 6],
        'welcome.settled': [19, [18], 2],
      },
    },
    {
      value: { open: { intake: 'welcoming', liveness: 'healthy', flow: 'congested' } },
      on: {
        'heartbeat.missed': [16, [15], 4],
        'beat.missed': [18, [16], 4],
        'outbox.drained': [5, [20], 6],
        'welcome.settled': [20, [18], 2],
      },
    },
    {
      value: { closing: 'local' },
      on: { 'deadline.passed': [15, [13, 12], 1], 'terminate.requested': [15, [13, 12], 0] },
    },
    {
      value: { open: { intake: 'receiving', liveness: 'healthy', flow: 'flowing' } },
      on: {
        'heartbeat.missed': [17, [15], 4],
        'beat.missed': [19, [16], 4],
        'outbox.filled': [20, [17], 6],
        'reading.paused': [21, [], 2],
      },
    },
    { value: { closing: 'forced' }, on: { 'deadline.passed': [9, [4], 1] } },
    {
      value: { open: { intake: 'welcoming', liveness: 'suspect', flow: 'congested' } },
      on: {
        'heartbeat.answered': [12, [19], 4],
        'outbox.drained': [10, [20], 6],
        'welcome.settled': [22, [18], 2],
      },
    },
    {
      value: { open: { intake: 'receiving', liveness: 'suspect', flow: 'flowing' } },
      on: {
        'heartbeat.answered': [14, [19], 4],
        'outbox.filled': [22, [17], 6],
        'reading.paused': [23, [], 2],
      },
    },
    {
      value: { open: { intake: 'welcoming', liveness: 'asleep', flow: 'congested' } },
      on: {
        'heartbeat.missed': [16, [15], 4],
        'beat.answered': [12, [19], 4],
        'outbox.drained': [11, [20], 6],
        'welcome.settled': [24, [18], 2],
      },
    },
    {
      value: { open: { intake: 'receiving', liveness: 'asleep', flow: 'flowing' } },
      on: {
        'heartbeat.missed': [17, [15], 4],
        'beat.answered': [14, [19], 4],
        'outbox.filled': [24, [17], 6],
        'reading.paused': [25, [], 2],
      },
    },
    {
      value: { open: { intake: 'receiving', liveness: 'healthy', flow: 'congested' } },
      on: {
        'heartbeat.missed': [22, [15], 4],
        'beat.missed': [24, [16], 4],
        'outbox.drained': [14, [20], 6],
        'reading.paused': [26, [], 2],
      },
    },
    {
      value: { open: { intake: 'paused', liveness: 'healthy', flow: 'flowing' } },
      on: {
        'heartbeat.missed': [23, [15], 4],
        'beat.missed': [25, [16], 4],
        'outbox.filled': [26, [17], 6],
        'reading.resumed': [14, [18], 2],
      },
    },
    {
      value: { open: { intake: 'receiving', liveness: 'suspect', flow: 'congested' } },
      on: {
        'heartbeat.answered': [20, [19], 4],
        'outbox.drained': [17, [20], 6],
        'reading.paused': [27, [], 2],
      },
    },
    {
      value: { open: { intake: 'paused', liveness: 'suspect', flow: 'flowing' } },
      on: {
        'heartbeat.answered': [21, [19], 4],
        'outbox.filled': [27, [17], 6],
        'reading.resumed': [17, [18], 2],
      },
    },
    {
      value: { open: { intake: 'receiving', liveness: 'asleep', flow: 'congested' } },
      on: {
        'heartbeat.missed': [22, [15], 4],
        'beat.answered': [20, [19], 4],
        'outbox.drained': [19, [20], 6],
        'reading.paused': [28, [], 2],
      },
    },
    {
      value: { open: { intake: 'paused', liveness: 'asleep', flow: 'flowing' } },
      on: {
        'heartbeat.missed': [23, [15], 4],
        'beat.answered': [21, [19], 4],
        'outbox.filled': [28, [17], 6],
        'reading.resumed': [19, [18], 2],
      },
    },
    {
      value: { open: { intake: 'paused', liveness: 'healthy', flow: 'congested' } },
      on: {
        'heartbeat.missed': [27, [15], 4],
        'beat.missed': [28, [16], 4],
        'outbox.drained': [21, [20], 6],
        'reading.resumed': [20, [18], 2],
      },
    },
    {
      value: { open: { intake: 'paused', liveness: 'suspect', flow: 'congested' } },
      on: {
        'heartbeat.answered': [26, [19], 4],
        'outbox.drained': [23, [20], 6],
        'reading.resumed': [22, [18], 2],
      },
    },
    {
      value: { open: { intake: 'paused', liveness: 'asleep', flow: 'congested' } },
      on: {
        'heartbeat.missed': [27, [15], 4],
        'beat.answered': [26, [19], 4],
        'outbox.drained': [25, [20], 6],
        'reading.resumed': [24, [18], 2],
      },
    },
  ],
};
