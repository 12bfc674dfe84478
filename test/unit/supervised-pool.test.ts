import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChartSystem } from '../../src/chart/chart-system.ts';
import { SupervisedPool } from '../../src/client/pool/supervised-pool.ts';
import { Upstreams } from '../../src/client/pool/upstreams.ts';
import { drainPlan, poolDrain } from '../../src/connection/drain.ts';
import { sharedRuntime } from '../../src/connection/shared-runtime.ts';
import { whenAborted } from '../../src/core/guard.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { resolveClientOptions } from '../support/client-options.ts';
import { virtualClient } from '../support/virtual-client.ts';
import { VirtualServer } from '../support/virtual-server.ts';

describe('SupervisedPool', () => {
  it('reports a chart that throws, ends its members, and leaves nobody waiting', async () => {
    const clock = new VirtualClock();
    const server = new VirtualServer(clock);
    const options = resolveClientOptions({ clock }, clock);
    const context = sharedRuntime(options);
    const pool = new SupervisedPool({
      size: 2,
      upstreams: new Upstreams([]),
      charts: new ChartSystem({ actorHost: null, areEager: false }, clock),
      context,
      parent: null,
      signal: undefined,
      inspect: undefined,
      makeMember: (parent) =>
        virtualClient(options, context, {
          warnings: null,
          makeTransport: (connection) => server.transport(connection),
          holdProcess: () => () => {},
          whenAborted,
          watchHost: () => () => {},
          parent,
        }),
    });
    const errored: string[] = [];
    pool.streams.events.observable.subscribe((event) => {
      if (event.type === 'handler.errored')
        errored.push(`${event.handler}: ${event.error.message}`);
    });
    clock.advance(100);
    assert.deepEqual([pool.state, server.connections], ['operational', 2]);
    const { schedule } = context.wheel;
    context.wheel.schedule = () => {
      context.wheel.schedule = schedule;
      throw new Error('out of order');
    };
    const plan = drainPlan({ withinMs: 100 }, poolDrain);
    await pool.drain(plan);
    clock.advance(10_000);
    assert.deepEqual(errored, ['pool: out of order']);
    assert.deepEqual([server.connections, clock.timersPending], [0, 0]);
    await pool.drain(plan);
  });
});
