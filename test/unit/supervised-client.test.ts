import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Platform } from '../../src/client/client-runtime.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import { sharedRuntime } from '../../src/connection/shared-runtime.ts';
import { whenAborted } from '../../src/core/guard.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { resolveClientOptions } from '../support/client-options.ts';
import { turns } from '../support/until.ts';
import { virtualClient } from '../support/virtual-client.ts';
import { VirtualServer } from '../support/virtual-server.ts';

/** A client on virtual time, and a log of everything that it reports. */
function bench(parts: Partial<Platform> = {}, { random = () => 0.5, onOpen }: ClientOptions = {}) {
  const clock = new VirtualClock();
  const server = new VirtualServer(clock);
  const options = resolveClientOptions({ clock, random, ...(onOpen && { onOpen }) }, clock);
  const log: string[] = [];
  let held = 0;
  const platform: Platform = {
    warnings: null,
    makeTransport: (connection) => server.transport(connection),
    holdProcess: () => {
      held += 1;
      return () => {
        held -= 1;
      };
    },
    whenAborted,
    watchHost: () => () => void log.push('unwatched'),
    ...parts,
  };
  const client = virtualClient(options, sharedRuntime(options), platform);
  const { streams } = client;
  streams.statuses.observable.subscribe({
    next: ({ states }) => log.push(states.at(-1) ?? ''),
    complete: () => log.push('complete'),
  });
  streams.endings.observable.subscribe(({ outcome }) => log.push(outcome));
  streams.events.observable.subscribe((event) => {
    if (event.type === 'handler.errored') log.push(`${event.handler}: ${event.error.message}`);
  });
  return { client, clock, server, log, held: () => held };
}

describe('SupervisedClient', () => {
  it('keeps the process alive from its first attempt to its end, even while its socket is paused', () => {
    const { client, clock, server, held } = bench();
    clock.advance(1);
    assert.deepEqual([client.status.state, held()], ['dialing', 1]);
    clock.advance(10);
    assert.deepEqual([client.status.state, held()], ['up', 1]);
    server.goDown();
    assert.deepEqual([client.status.state, held()], ['waiting', 1]);
    void client.stop({ code: 1000, reason: '' });
    assert.deepEqual([client.status.state, held()], ['stopped', 0]);
    assert.equal(clock.timersPending, 0);
  });

  it('waits for whole milliseconds, whatever random returns', () => {
    const { client, clock, server } = bench({}, { random: () => 0.1641 });
    clock.advance(1_000);
    server.goDown();
    assert.deepEqual([client.status.state, client.status.delayMs], ['waiting', 83]);
  });

  it('ends when its chart throws, and reports it', async () => {
    const { client, clock, log } = bench({
      holdProcess: () => {
        throw new Error('broken host');
      },
    });
    clock.advance(1);
    assert.equal(client.status.state, 'exhausted');
    assert.deepEqual(log, ['idle', 'unwatched', 'client: broken host', 'exhausted', 'complete']);
    await client.stop({ code: 1000, reason: '' });
  });

  it('reports the ending of its connection before its streams complete, when its chart throws', () => {
    const { client, clock, log } = bench();
    client.announceUp = () => {
      throw new Error('broken order');
    };
    clock.advance(1_000);
    assert.deepEqual(log.slice(-3), ['exhausted', 'closed', 'complete']);
    assert.equal(client.status.gaveUp, 'crash');
  });

  it('uses a connection as soon as an async onOpen has settled', async () => {
    let settle = () => {};
    const onOpen = () =>
      new Promise<void>((resolve) => {
        settle = resolve;
      });
    const { client, clock, server } = bench({}, { onOpen });
    client.sender.send('it has waited', {});
    clock.advance(1_000);
    assert.deepEqual(server.received, []);
    settle();
    await turns(1);
    assert.deepEqual(server.received, ['"it has waited"']);
  });

  it('stays idle while there is no network, and tries again occasionally', () => {
    let lost = () => {};
    const { client, clock, server } = bench({
      watchHost: (host) => {
        lost = () => host.offline();
        return () => {};
      },
    });
    clock.advance(1_000);
    lost();
    server.goDown();
    assert.deepEqual(client.status.states, ['waiting', 'waiting.offline']);
    const before = server.dialedAtMs.length;
    clock.advance(10_000);
    lost();
    clock.advance(9_000);
    assert.equal(server.dialedAtMs.length, before);
    clock.advance(2_000);
    assert.equal(server.dialedAtMs.length, before + 1);
  });
});
