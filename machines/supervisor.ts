import { setup } from 'xstate';
import type { ExitSignal } from './exit-signals.ts';
import { type Hidden, order } from './hidden.ts';

/** Facts about a supervisor, with what each means. Past tense, no payload. */
export const supervisorFacts = {
  'suspend.requested': 'New connections are to be refused for a while.',
  'admit.requested': 'New connections are welcome again.',
  'drain.requested': 'The supervisor is to close every connection and stop.',
  'fleet.emptied': 'No connection is left and every close handler has settled.',
  'connection.crashed': 'An order of the chart of a connection threw.',
  'deadline.passed': 'The time of the current state is up.',
} as const;

/** A fact about a supervisor. */
export type SupervisorFact = { readonly type: keyof typeof supervisorFacts };

/** Orders of the chart to its supervisor. Imperative, synchronous, and never user code. */
export interface SupervisorOrders {
  /** Reports that new connections are refused. */
  announceSuspended(): void;
  /** Reports that new connections are welcome. */
  announceAdmitting(): void;
  /** Refuses what is being admitted and spreads the closing of all others over the time given. */
  beginDrain(): void;
  /** Destroys the connections that have not closed. */
  expireAll(): void;
  /** Reports that the chart of a connection threw. */
  recordCrash(): void;
  /** Reports the end and what the drain did. */
  finish(): void;
}

/**
 * The life of a supervisor: whether it admits connections, and how it ends.
 *
 * A connection that crashes is one event here and does not end its siblings. XState stops a parent that does not handle
 * `xstate.error.actor.*`, and everything below it.
 */
export const supervisorMachine = setup({
  types: {} as {
    context: Hidden<SupervisorOrders>;
    input: Hidden<SupervisorOrders>;
    events: SupervisorFact | ExitSignal;
    meta: { deadline?: string };
  },
  actions: {
    announceSuspended: order<SupervisorOrders>((supervisor) => supervisor.announceSuspended()),
    announceAdmitting: order<SupervisorOrders>((supervisor) => supervisor.announceAdmitting()),
    beginDrain: order<SupervisorOrders>((supervisor) => supervisor.beginDrain()),
    expireAll: order<SupervisorOrders>((supervisor) => supervisor.expireAll()),
    recordCrash: order<SupervisorOrders>((supervisor) => supervisor.recordCrash()),
    finish: order<SupervisorOrders>((supervisor) => supervisor.finish()),
  },
}).createMachine({
  id: 'supervisor',
  context: ({ input }) => input,
  initial: 'admitting',
  on: {
    'xstate.done.actor.*': {
      description: 'The registry has forgotten the connection already; nothing is left to do.',
    },
    'xstate.error.actor.*': {
      description: 'Handled, so that this supervisor and all siblings live on.',
    },
    'connection.crashed': {
      description: 'One connection has ended. This supervisor and all siblings live on.',
      actions: 'recordCrash',
    },
  },
  states: {
    admitting: {
      description: 'Upgrade requests are admitted as far as the limits allow.',
      on: {
        'suspend.requested': { target: 'suspended', actions: 'announceSuspended' },
        'drain.requested': 'draining',
      },
    },
    suspended: {
      description: 'Upgrade requests get 503; open connections live on.',
      on: {
        'admit.requested': { target: 'admitting', actions: 'announceAdmitting' },
        'drain.requested': 'draining',
      },
    },
    draining: {
      description: 'Upgrade requests get 503; every connection is being closed.',
      meta: { deadline: 'withinMs' },
      entry: 'beginDrain',
      initial: 'closing',
      states: {
        closing: {
          description: 'Closing handshakes, spread over time.',
          on: { 'deadline.passed': 'expiring' },
        },
        expiring: {
          description: 'The time is up: what is left is being destroyed.',
          meta: { deadline: 'forcedMs' },
          entry: 'expireAll',
          on: { 'deadline.passed': '#supervisor.stopped' },
        },
      },
      on: { 'fleet.emptied': 'stopped' },
    },
    stopped: {
      description: 'Nothing is open and nothing will be.',
      type: 'final',
      entry: 'finish',
    },
  },
});
