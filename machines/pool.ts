import { setup } from 'xstate';
import type { ExitSignal } from './exit-signals.ts';
import { type Hidden, order } from './hidden.ts';
import type { PoolFact, PoolOrders } from './pool-contract.ts';

/**
 * The life of a pool: a fixed number of members, each of which has a connection or is getting one.
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
      description: 'A member has ended; the member itself reports how.',
    },
    'xstate.error.actor.*': {
      description: 'Handled, so that this pool and all other members live on.',
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
      description: 'Fewer connections than members; what is missing is being replaced.',
      on: { 'pool.filled': 'operational', 'drain.requested': 'draining' },
    },
    draining: {
      description: 'Nothing is handed out; every connection is being closed.',
      entry: 'beginDrain',
      initial: 'closing',
      states: {
        closing: {
          description: 'Closing handshakes.',
          meta: { deadline: 'withinMs' },
          on: { 'deadline.passed': 'expiring' },
        },
        expiring: {
          description: 'The time is up: what is left is being destroyed.',
          meta: { deadline: 'forcedMs' },
          entry: 'expireAll',
          on: { 'deadline.passed': '#pool.stopped' },
        },
      },
      on: { 'pool.emptied': 'stopped' },
    },
    stopped: {
      description: 'Nothing is open and nothing will be.',
      type: 'final',
      entry: 'finish',
    },
  },
});
