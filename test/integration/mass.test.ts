import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { CloseCause } from '../../src/index.ts';
import { Service } from '../support/service.ts';
import { Swarm } from '../support/swarm-process.ts';
import { until } from '../support/until.ts';

const COUNT = 10_000;

describe('ten thousand connections', () => {
  let service: Service;
  let swarm: Swarm;
  afterEach(async () => {
    await swarm.stop();
    await service.stop();
  });

  it('are killed at random: opened = closed, one verdict each, and nothing is left', async () => {
    service = await Service.start({
      actors: 'eager',
      // All arrive at once and from one address, which gets half of the limit.
      admission: { acceptsPerSecondMax: 2 * COUNT },
      onOpen: (connection) => connection.join('all'),
    });
    swarm = new Swarm(service.port);
    await swarm.open(COUNT);
    await until(() => service.supervisor.counts.open === COUNT, 'all are open');
    assert.equal(service.supervisor.topic('all').size, COUNT);
    // Connections die at every moment of a broadcast: before it, during its writes, after it.
    const kill = swarm.end('random');
    for (let tick = 0; tick < 20; tick += 1) {
      service.supervisor.topic('all').publish({ tick });
      await new Promise((resolve) => setImmediate(resolve));
    }
    await kill;
    await until(() => service.inFlight === 0, 'all have ended', 30_000);
    const { closed, failed } = service.supervisor.counts;
    assert.deepEqual({ closed, failed }, { closed: COUNT, failed: 0 });
    assertOneReportEach(service);
    assert.equal(service.supervisor.topic('all').size, 0);
    assert.equal([...service.supervisor.connections].length, 0);
  });
});

function assertOneReportEach(service: Service): void {
  const opened = service.of('connection.opened').map(({ connection }) => connection.id);
  const closed = service.of('connection.closed').map(({ connection }) => connection.id);
  assert.equal(new Set(opened).size, COUNT);
  assert.deepEqual(new Set(closed), new Set(opened));
  assert.equal(closed.length, COUNT);
  const causes = new Set(service.of('connection.closed').map(({ verdict }) => verdict.cause));
  for (const cause of ['peer-close', 'tcp-reset', 'tcp-fin', 'protocol-error'] as CloseCause[]) {
    assert.ok(causes.has(cause), `${cause} is among the causes`);
  }
}
