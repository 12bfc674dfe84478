import { setup } from 'xstate';
import type { ClientFact, ClientOrders, DelayName } from './client-contract.ts';
import type { ExitSignal } from './exit-signals.ts';
import { type Hidden, order } from './hidden.ts';

/** The state that follows each ending of an attempt or a connection. */
const afterEnding = {
  'ended.now': 'waiting.now',
  'ended.backoff': 'waiting.backoff',
  'ended.slow': 'waiting.slow',
  'ended.deferred': 'waiting.deferred',
  'ended.never': 'exhausted',
  'restarts.exceeded': 'exhausted',
} as const;

/**
 * The life of a client, which keeps one connection at a time and dials again when it ends.
 *
 * Each attempt is a connection with a chart of its own. This chart knows only whether the attempt opened, and when
 * another may follow its end. No second attempt begins while one is under way.
 *
 * The reconnect policy is not part of the chart. It decides by code and cause what an ending means, counts restarts and
 * computes the delays. Its tables, numbers, random parts and the option `privateCodes` cannot be drawn.
 */
export const clientMachine = setup({
  types: {} as {
    context: Hidden<ClientOrders>;
    input: Hidden<ClientOrders>;
    events: ClientFact | ExitSignal;
    meta: { deadline?: string };
  },
  actions: {
    dial: order<ClientOrders>((client) => client.dial()),
    announceUp: order<ClientOrders>((client) => client.announceUp()),
    resetBackoff: order<ClientOrders>((client) => client.resetBackoff()),
    startDelay: order<ClientOrders, { name: DelayName }>((client, params) =>
      client.startDelay(params),
    ),
    probe: order<ClientOrders>((client) => client.probe()),
    giveUp: order<ClientOrders>((client) => client.giveUp()),
    rest: order<ClientOrders>((client) => client.rest()),
    endConnection: order<ClientOrders>((client) => client.endConnection()),
    finish: order<ClientOrders>((client) => client.finish()),
  },
}).createMachine({
  id: 'client',
  context: ({ input }) => input,
  initial: 'idle',
  on: {
    'xstate.done.actor.*': {
      description: 'Nothing to do: a connection reports its own end.',
    },
    'xstate.error.actor.*': {
      description:
        'Handled, so that XState does not stop this client; the connection reports its own end.',
    },
  },
  states: {
    idle: {
      description: 'No connection has been requested yet, or none is needed any more.',
      entry: 'rest',
      on: { 'dial.requested': 'dialing', 'stop.requested': 'stopped' },
    },
    dialing: {
      description: 'One attempt is under way.',
      entry: 'dial',
      initial: 'connecting',
      states: {
        connecting: {
          description: 'The connection has not opened yet.',
          on: { 'welcome.awaited': 'welcoming' },
        },
        welcoming: {
          description:
            'The connection is open. Queued messages wait until `onOpen` settles, for at most `welcomeMs`.',
          on: { 'connection.ending': '#client.closing' },
        },
      },
      on: {
        'connection.opened': 'up',
        ...afterEnding,
        'stop.requested': 'stopping',
      },
    },
    up: {
      description: 'The connection is open, and `onOpen` has settled.',
      entry: 'announceUp',
      initial: 'settling',
      states: {
        settling: {
          description:
            'The connection has not been healthy for `stableMs` yet; earlier failures still count.',
          meta: { deadline: 'stableMs' },
          entry: { type: 'startDelay', params: { name: 'stable' } },
          on: { 'deadline.passed': 'stable', 'heartbeat.missed': 'suspect' },
        },
        stable: {
          description:
            'The connection has been healthy for `stableMs`; the next backoff is short again.',
          entry: 'resetBackoff',
          on: { 'heartbeat.missed': 'suspect' },
        },
        suspect: {
          description:
            'The peer has missed a heartbeat. After its answer, `stableMs` starts again.',
          on: { 'heartbeat.answered': 'settling' },
        },
      },
      on: {
        'connection.ending': 'closing',
        'wake.noticed': { actions: 'probe' },
        'network.returned': { actions: 'probe' },
        'demand.ended': 'idling',
        'stop.requested': 'stopping',
      },
    },
    closing: {
      description: 'The connection accepts no more messages, and has not ended yet.',
      on: { ...afterEnding, 'stop.requested': 'stopping' },
    },
    idling: {
      description: 'The connection is no longer needed, and is closing.',
      entry: 'endConnection',
      on: { 'ended.backoff': 'idle', 'stop.requested': 'stopping' },
    },
    waiting: {
      description: 'The client waits for its next attempt.',
      initial: 'backoff',
      states: {
        now: {
          description: 'The next attempt begins in the next turn of the event loop.',
          entry: { type: 'startDelay', params: { name: 'now' } },
          on: { 'network.lost': 'offline' },
        },
        backoff: {
          description: 'The client waits a random part of a time that doubles with every failure.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'backoff' } },
          on: { 'wake.noticed': 'awake', 'network.lost': 'offline' },
        },
        slow: {
          description:
            'The client waits a random time from `backoff.slowMs` to twice as long, because a person may have to fix something.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'slow' } },
        },
        deferred: {
          description:
            'The client waits as long as the peer asked with `Retry-After`, 1012 or 1013.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'deferred' } },
        },
        awake: {
          description:
            'The host has woken from sleep, so the client waits at most `backoff.minMs`.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'awake' } },
          on: { 'network.lost': 'offline' },
        },
        offline: {
          description: 'The host is offline, so the client dials only every `backoff.maxMs`.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'offline' } },
          on: { 'network.returned': '#client.dialing', 'wake.noticed': '#client.dialing' },
        },
      },
      on: {
        'deadline.passed': 'dialing',
        'dial.requested': 'dialing',
        'demand.ended': 'idle',
        'stop.requested': 'stopped',
      },
    },
    stopping: {
      description: 'The client is stopping, and its connection has not ended yet.',
      entry: 'endConnection',
      // The client asked for this ending, so the policy does not judge it.
      on: { 'ended.backoff': 'stopped' },
    },
    stopped: {
      description: 'The client has stopped. Nothing is left.',
      type: 'final',
      entry: 'finish',
    },
    exhausted: {
      description:
        'Another attempt would be pointless, or too many attempts have ended. `dialNow` dials again.',
      entry: 'giveUp',
      on: { 'dial.requested': 'dialing', 'stop.requested': 'stopped' },
    },
  },
});
