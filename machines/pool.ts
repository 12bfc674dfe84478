import { setup } from 'xstate';
import type { ExitSignal } from './exit-signals.ts';
import { type Hidden, order } from './hidden.ts';
import type { PoolFact, PoolOrders } from './pool-contract.ts';

/**
 * The life of a pool: a fixed number of members, each connected or dialing.
 *
 * Each member is a client with a chart of its own, and replaces its own connection. This chart knows only whether all
 * members have a connection.
 */
export const poolMachine = setup({
  types: {} as {
    context: Hidden<PoolOrders>;
    input: Hidden<PoolOrders>;
    events: PoolFact | ExitSignal;
    meta: { deadline?: string };
  },
  actions: {
    beginDrain: order<PoolOrders>((pool) => pool.beginDrain()),
    expireAll: order<PoolOrders>((pool) => pool.expireAll()),
    finish: order<PoolOrders>((pool) => pool.finish()),
  },
}).createMachine({
  id: 'pool',
  context: ({ input }) => input,
  initial: 'starting',
  on: {
    'xstate.done.actor.*': {
      description: 'Nothing to do: a member reports its own end.',
    },
    'xstate.error.actor.*': {
      description: 'Handled, so that XState does not stop this pool and its other members.',
    },
  },
  states: {
    starting: {
      description: 'Every member dials for the first time.',
      on: {
        'pool.filled': 'operational',
        'pool.thinned': 'degraded',
        'drain.requested': 'draining',
      },
    },
    operational: {
      description: 'Every member has an open connection.',
      on: { 'pool.thinned': 'degraded', 'drain.requested': 'draining' },
    },
    degraded: {
      description: 'At least one member has no connection, and is dialing.',
      on: { 'pool.filled': 'operational', 'drain.requested': 'draining' },
    },
    draining: {
      description: '`checkout` returns no connection, and every connection is closing.',
      entry: 'beginDrain',
      initial: 'closing',
      states: {
        closing: {
          description: 'Closing handshakes are under way.',
          meta: { deadline: 'withinMs' },
          on: { 'deadline.passed': 'expiring' },
        },
        expiring: {
          description: 'The deadline has passed: the remaining connections are being destroyed.',
          meta: { deadline: 'forcedMs' },
          entry: 'expireAll',
          on: { 'deadline.passed': '#pool.stopped' },
        },
      },
      on: { 'pool.emptied': 'stopped' },
    },
    stopped: {
      description: 'No connection is open, and none will open.',
      type: 'final',
      entry: 'finish',
    },
  },
});
