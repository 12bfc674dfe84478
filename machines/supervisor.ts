import { setup } from 'xstate';
import type { ExitSignal } from './exit-signals.ts';
import { type Hidden, order } from './hidden.ts';

/** Facts about a supervisor, each with its meaning. A fact is named in the past tense and has no payload. */
export const supervisorFacts = {
  'suspend.requested': 'The application suspends the admission of connections.',
  'admit.requested': 'The application admits connections again.',
  'drain.requested': 'The application asks the supervisor to close every connection and stop.',
  'fleet.emptied': 'No connection is left and every close handler has settled.',
  'connection.crashed': 'An order of the chart of a connection threw.',
  'deadline.passed': 'The deadline of the current state has passed.',
} as const;

/** A fact about a supervisor. */
export type SupervisorFact = { readonly type: keyof typeof supervisorFacts };

/** Orders that the chart gives to its supervisor. They are synchronous and run no user code. */
export interface SupervisorOrders {
  /** Reports that new connections are refused. */
  announceSuspended(): void;
  /** Reports that new connections are admitted. */
  announceAdmitting(): void;
  /** Refuses connections that are being admitted, and spreads the closing of all others over the given time. */
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
 * A connection that crashes causes one fact here and does not end its siblings. The chart handles
 * `xstate.error.actor.*`, because XState would otherwise stop the supervisor and everything below it.
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
      description: 'Nothing to do: the registry has already removed the connection.',
    },
    'xstate.error.actor.*': {
      description:
        'Handled, so that XState does not stop this supervisor and all other connections.',
    },
    'connection.crashed': {
      description: 'One connection has ended. The supervisor and all other connections continue.',
      actions: 'recordCrash',
    },
  },
  states: {
    admitting: {
      description: 'Upgrade requests are admitted within the limits.',
      on: {
        'suspend.requested': { target: 'suspended', actions: 'announceSuspended' },
        'drain.requested': 'draining',
      },
    },
    suspended: {
      description: 'Upgrade requests get 503; open connections stay open.',
      on: {
        'admit.requested': { target: 'admitting', actions: 'announceAdmitting' },
        'drain.requested': 'draining',
      },
    },
    draining: {
      description: 'Upgrade requests get 503; every connection is closing.',
      meta: { deadline: 'withinMs' },
      entry: 'beginDrain',
      initial: 'closing',
      states: {
        closing: {
          description: 'Closing handshakes are under way, spread over time.',
          on: { 'deadline.passed': 'expiring' },
        },
        expiring: {
          description: 'The deadline has passed: the remaining connections are being destroyed.',
          meta: { deadline: 'forcedMs' },
          entry: 'expireAll',
          on: { 'deadline.passed': '#supervisor.stopped' },
        },
      },
      on: { 'fleet.emptied': 'stopped' },
    },
    stopped: {
      description: 'No connection is open, and none will open.',
      type: 'final',
      entry: 'finish',
    },
  },
});
