import { setup } from 'xstate';
import type {
  ConnectionCondition,
  ConnectionFact,
  ConnectionOrders,
  DeadlineName,
} from './connection-contract.ts';
import { type Hidden, hide, order, reveal } from './hidden.ts';

/**
 * The life of one socket, accepted or dialed, from the upgrade request to its one terminal report.
 *
 * `closed` can be reached only through `open`, and `failed` only from `handshaking`. Every state that waits has a deadline.
 * The chart is pure: it owns no socket and no clock. It receives {@link ConnectionFact}s and gives
 * {@link ConnectionOrders} to the connection that its context hides.
 */
export const connectionMachine = setup({
  types: {} as {
    context: Hidden<ConnectionOrders>;
    input: Hidden<ConnectionOrders>;
    events: ConnectionFact;
    output: Hidden<unknown>;
    meta: { deadline?: string };
  },
  actions: {
    dial: order<ConnectionOrders>((connection) => connection.dial()),
    upgrade: order<ConnectionOrders>((connection) => connection.upgrade()),
    refuseUpgrade: order<ConnectionOrders>((connection) => connection.refuseUpgrade()),
    refuseWithClose: order<ConnectionOrders>((connection) => connection.refuseWithClose()),
    announceOpen: order<ConnectionOrders>((connection) => connection.announceOpen()),
    admitMessages: order<ConnectionOrders>((connection) => connection.admitMessages()),
    announceError: order<ConnectionOrders>((connection) => connection.announceError()),
    announceClosing: order<ConnectionOrders>((connection) => connection.announceClosing()),
    sendClose: order<ConnectionOrders>((connection) => connection.sendClose()),
    destroy: order<ConnectionOrders>((connection) => connection.destroy()),
    startDeadline: order<ConnectionOrders, { name: DeadlineName }>((connection, params) =>
      connection.startDeadline(params),
    ),
    announceChange: order<ConnectionOrders, { to: ConnectionCondition }>((connection, params) =>
      connection.announceChange(params),
    ),
    finish: order<ConnectionOrders>((connection) => connection.finish()),
  },
}).createMachine({
  id: 'connection',
  context: ({ input }) => input,
  initial: 'handshaking',
  output: ({ context }: { context: Hidden<ConnectionOrders> }) => hide(reveal(context).outcome()),
  states: {
    handshaking: {
      description: 'The connection is not open yet, and is not in the registry.',
      meta: { deadline: 'handshakeMs' },
      entry: { type: 'startDeadline', params: { name: 'handshake' } },
      initial: 'admitting',
      states: {
        admitting: {
          description:
            'Limits, path, Host, Origin and `authenticate` decide whether the connection may open.',
          on: {
            'admission.granted': 'upgrading',
            'admission.denied': 'refusing',
            'dial.requested': 'dialing',
          },
        },
        upgrading: {
          description:
            'Admitted: the 101 is being written, and the WebSocket is being bound to the socket.',
          entry: 'upgrade',
          on: { 'socket.opened': '#connection.open' },
        },
        refusing: {
          description:
            'Refused by `authenticate`: a close frame after the 101 carries the reason. Only its echo is awaited.',
          meta: { deadline: 'refusalMs' },
          entry: [{ type: 'startDeadline', params: { name: 'refusal' } }, 'refuseWithClose'],
          on: {
            'peer.closing': '#connection.failed',
            'socket.ended': '#connection.failed',
            'protocol.violated': '#connection.failed',
            'deadline.passed': '#connection.failed',
          },
        },
        dialing: {
          description:
            'This side dials: name resolution, TCP, TLS and the upgrade request are under way.',
          entry: 'dial',
          on: {
            'socket.opened': '#connection.open',
            'close.requested': '#connection.failed',
            'terminate.requested': '#connection.failed',
          },
        },
      },
      on: {
        'admission.refused': { target: 'failed', actions: 'refuseUpgrade' },
        'deadline.passed': { target: 'failed', actions: 'refuseUpgrade' },
        'peer.abandoned': 'failed',
        'socket.errored': 'failed',
        'socket.closed': 'failed',
      },
    },
    open: {
      description:
        'Established: in the registry, a member of its topics and reachable by broadcasts.',
      meta: { deadline: 'heartbeat' },
      type: 'parallel',
      entry: 'announceOpen',
      states: {
        intake: {
          description: 'Whether messages from the peer reach the application.',
          initial: 'welcoming',
          states: {
            welcoming: {
              description: '`onOpen` has not settled yet. Reading is paused, and nothing is lost.',
              meta: { deadline: 'welcomeMs' },
              on: { 'welcome.settled': 'receiving' },
            },
            receiving: {
              description: 'Messages are delivered in order.',
              entry: 'admitMessages',
              on: { 'reading.paused': 'paused' },
            },
            paused: {
              description:
                'Nothing is read or delivered: the application paused, the peer is too fast, or handlers are behind.',
              meta: { deadline: 'pausedMs' },
              on: { 'reading.resumed': 'receiving' },
            },
          },
        },
        liveness: {
          description: 'Whether the peer has shown that it is alive.',
          initial: 'healthy',
          states: {
            healthy: {
              description:
                'The peer has given a sign of life recently, or still has time to answer.',
              on: {
                'heartbeat.missed': {
                  target: 'suspect',
                  actions: { type: 'announceChange', params: { to: 'suspect' } },
                },
                'beat.missed': {
                  target: 'asleep',
                  actions: { type: 'announceChange', params: { to: 'asleep' } },
                },
              },
            },
            suspect: {
              description: 'The peer gave no sign of life during the first half of the grace.',
              on: {
                'heartbeat.answered': {
                  target: 'healthy',
                  actions: { type: 'announceChange', params: { to: 'healthy' } },
                },
              },
            },
            asleep: {
              description:
                'The peer answers pings, but its code does not run, for example in a frozen page.',
              on: {
                'beat.answered': {
                  target: 'healthy',
                  actions: { type: 'announceChange', params: { to: 'healthy' } },
                },
                'heartbeat.missed': {
                  target: 'suspect',
                  actions: { type: 'announceChange', params: { to: 'suspect' } },
                },
              },
            },
          },
        },
        flow: {
          description: 'Whether the peer reads as fast as this side writes.',
          initial: 'flowing',
          states: {
            flowing: {
              description: 'The outbox is below its high mark.',
              on: {
                'outbox.filled': {
                  target: 'congested',
                  actions: { type: 'announceChange', params: { to: 'congested' } },
                },
              },
            },
            congested: {
              description: 'The outbox is above its high mark, and publications skip this member.',
              meta: { deadline: 'stalledMs' },
              on: {
                'outbox.drained': {
                  target: 'flowing',
                  actions: { type: 'announceChange', params: { to: 'flowing' } },
                },
              },
            },
          },
        },
      },
      on: {
        'socket.errored': 'errored',
        'protocol.violated': 'errored',
        'send.errored': { target: 'errored', actions: 'destroy' },
        'ping.flooded': { target: 'errored', actions: 'destroy' },
        'heartbeat.lost': { target: 'errored', actions: 'destroy' },
        'handler.errored': { target: 'errored', actions: 'sendClose' },
        'fail.requested': { target: 'errored', actions: 'sendClose' },
        'close.requested': 'closing.local',
        'welcome.expired': 'closing.local',
        'pause.expired': 'closing.local',
        'outbox.stalled': 'closing.local',
        'peer.closing': 'closing.peer',
        'socket.ended': 'closing.peer',
        'terminate.requested': 'closing.forced',
        'socket.closed': 'closing.reaping',
      },
    },
    errored: {
      description:
        'Quarantined. A last close frame may still leave; no message is delivered or sent.',
      meta: { deadline: 'erroredMs' },
      entry: ['announceError', { type: 'startDeadline', params: { name: 'errored' } }],
      on: {
        'deadline.passed': 'closing.forced',
        'terminate.requested': 'closing.forced',
        'socket.closed': 'closing.reaping',
        'websocket.closed': 'closed',
      },
    },
    closing: {
      description: 'Quarantined, until the socket and the WebSocket have ended.',
      entry: 'announceClosing',
      initial: 'local',
      states: {
        local: {
          description: 'This side has sent its close frame, and waits for the echo.',
          meta: { deadline: 'closeMs' },
          entry: ['sendClose', { type: 'startDeadline', params: { name: 'close' } }],
          on: { 'deadline.passed': 'forced' },
        },
        peer: {
          description:
            'The peer has sent a close frame or ended its side; the answer is on its way.',
          meta: { deadline: 'closeMs' },
          entry: { type: 'startDeadline', params: { name: 'close' } },
          on: { 'deadline.passed': 'forced' },
        },
        forced: {
          description: 'The socket is being destroyed.',
          meta: { deadline: 'forcedMs' },
          entry: ['destroy', { type: 'startDeadline', params: { name: 'forced' } }],
          on: { 'deadline.passed': '#connection.closed', 'terminate.requested': undefined },
        },
        reaping: {
          description:
            'The socket has closed, and the WebSocket above it has not reported its end yet.',
          meta: { deadline: 'forcedMs' },
          entry: { type: 'startDeadline', params: { name: 'forced' } },
          on: { 'deadline.passed': '#connection.closed', 'terminate.requested': undefined },
        },
      },
      on: {
        'socket.closed': '.reaping',
        'websocket.closed': 'closed',
        'terminate.requested': '.forced',
      },
    },
    closed: {
      description: 'The connection was open and has ended. The output is the verdict.',
      type: 'final',
      entry: 'finish',
    },
    failed: {
      description: 'The connection never opened. The output is the failure.',
      type: 'final',
      entry: 'finish',
    },
  },
});
