import { setup } from 'xstate';
import type { ClientFact, ClientOrders, DelayName } from './client-contract.ts';
import type { ExitSignal } from './exit-signals.ts';
import { type Hidden, order } from './hidden.ts';

/** What follows the end of an attempt that did not open, or of a connection. */
const afterEnding = {
  'ended.now': 'waiting.now',
  'ended.backoff': 'waiting.backoff',
  'ended.slow': 'waiting.slow',
  'ended.deferred': 'waiting.deferred',
  'ended.never': 'exhausted',
  'restarts.exceeded': 'exhausted',
} as const;

/**
 * The life of a client: one connection at a time, dialed again and again.
 *
 * Each attempt is a connection with a chart of its own. This chart knows only whether the attempt opened, and when another
 * may follow its end. No second attempt begins while one is under way.
 *
 * The reconnect policy stays outside: it decides by code and cause what an ending means, counts restarts, and measures the
 * delays. Its tables, numbers, random parts and the option `privateCodes` cannot be drawn.
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
      description: 'A connection of it has ended; the connection itself reports the outcome.',
    },
    'xstate.error.actor.*': {
      description: 'Handled, so that this client lives on: the connection itself reports the end.',
    },
  },
  states: {
    idle: {
      description: 'Nobody has asked for a connection yet, or nobody needs it any more.',
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
            'It is open, and `onOpen` has not settled yet; it may take `welcomeMs`. Queued messages wait.',
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
          description: 'It opened a moment ago; failures so far still count.',
          meta: { deadline: 'stableMs' },
          entry: { type: 'startDelay', params: { name: 'stable' } },
          on: { 'deadline.passed': 'stable', 'heartbeat.missed': 'suspect' },
        },
        stable: {
          description: 'It has stayed open for a while: the next backoff begins anew.',
          entry: 'resetBackoff',
          on: { 'heartbeat.missed': 'suspect' },
        },
        suspect: {
          description: 'The peer owes a sign of life. It is stable again only after a while.',
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
      description: 'The connection takes no more messages, and has not ended yet.',
      on: { ...afterEnding, 'stop.requested': 'stopping' },
    },
    idling: {
      description: 'Nobody needs the connection any more: it is on its way out.',
      entry: 'endConnection',
      on: { 'ended.backoff': 'idle', 'stop.requested': 'stopping' },
    },
    waiting: {
      description: 'Between two attempts.',
      initial: 'backoff',
      states: {
        now: {
          description: 'The next attempt begins in the next turn of the event loop.',
          entry: { type: 'startDelay', params: { name: 'now' } },
          on: { 'network.lost': 'offline' },
        },
        backoff: {
          description: 'A random part of a time that doubles with every failure.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'backoff' } },
          on: { 'wake.noticed': 'awake', 'network.lost': 'offline' },
        },
        slow: {
          description:
            'A random time from `backoff.slowMs` to twice as long: a person may have to mend something.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'slow' } },
        },
        deferred: {
          description: 'The time that the peer asked for: `Retry-After`, 1012 or 1013.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'deferred' } },
        },
        awake: {
          description: 'The host has slept, so the backoff is short again.',
          meta: { deadline: 'backoff' },
          entry: { type: 'startDelay', params: { name: 'awake' } },
          on: { 'network.lost': 'offline' },
        },
        offline: {
          description: 'The host says that there is no network. The client dials rarely.',
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
      description: 'Asked to stop; the connection is on its way out.',
      entry: 'endConnection',
      // The client wanted this ending, so nothing judges it.
      on: { 'ended.backoff': 'stopped' },
    },
    stopped: {
      description: 'Asked to stop, and done. Nothing is left.',
      type: 'final',
      entry: 'finish',
    },
    exhausted: {
      description:
        'Another attempt would be pointless, or there have been too many; `dialNow` dials again.',
      entry: 'giveUp',
      on: { 'dial.requested': 'dialing', 'stop.requested': 'stopped' },
    },
  },
});
