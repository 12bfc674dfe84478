import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { neighbours } from '../neighbours/index.ts';
import type { Neighbour, Visit } from '../neighbours/neighbour.ts';
import { nobody, type Order, ours, Scene, slow } from '../neighbours/scene.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

// Goal: Mooring shares an HTTP server with the common WebSocket servers. Method: one contract for all of them,
// with the real packages, attached before and after each. Most of it is waiting, so all of them wait at once.

const watch = new ProcessWatch();

/** Longer than thirty seconds, on a slow machine. */
const GENEROUS_MS = 60_000;

describe('neighbours on one HTTP server', { concurrency: true, timeout: 200_000 }, () => {
  for (const neighbour of neighbours) {
    for (const order of ['before', 'after'] as const) {
      describe(`attached ${order} ${neighbour.name}`, { concurrency: true }, () =>
        contract(neighbour, order),
      );
    }
  }

  after(async () => {
    await watch.assertQuiet();
    watch.stop();
  });
});

function contract(neighbour: Neighbour, order: Order): void {
  const theirs = neighbour.visit;

  /** Runs a check against a server of its own, which must be empty and closed afterwards. */
  const holds = (title: string, check: (scene: Scene) => Promise<void>) =>
    it(title, async () => {
      const scene = await Scene.start([neighbour], order);
      try {
        await check(scene);
        await scene.close();
      } finally {
        scene.destroy();
      }
    });

  holds('both serve their own path, at once and after a slow check', async (scene) => {
    const visits: Visit[] = [ours, slow(ours), theirs];
    if (neighbour.hasCheck) visits.push(slow(theirs));
    await Promise.all(visits.map((visit) => scene.visit(visit)));
    assert.equal(scene.checks, neighbour.hasCheck ? 2 : 1);
    assert.equal(scene.supervisor.counts.open, 2);
    assert.deepEqual([scene.failures, scene.verdicts], [[], []]);
  });

  holds('unserved requests are answered in time', async (scene) => {
    const { by, status, afterMs = 0 } = neighbour.unserved;
    const startedMs = performance.now();
    assert.equal(await scene.refused(nobody, GENEROUS_MS), status);
    const tookMs = performance.now() - startedMs;
    // The answers after two and after thirty seconds are far enough apart for any machine.
    assert.ok(tookMs > afterMs - 500 && tookMs < afterMs + 20_000, `after ${tookMs} ms`);
    const causes = scene.failures.map(({ cause }) => cause);
    assert.deepEqual(causes, by === 'mooring' ? ['wrong-path'] : []);
  });

  holds(
    'a silent connection of the neighbour outlives the watch over its request',
    async (scene) => {
      const peer = await scene.visit(theirs);
      await new Promise((resolve) => setTimeout(resolve, 31_000));
      assert.equal(peer.closed || peer.ended, false);
      assert.deepEqual(scene.failures, []);
    },
  );

  holds('a client that resets is never reported as a connection of the other', async (scene) => {
    const visits = [ours, slow(ours), theirs, slow(theirs), nobody];
    for (const visit of visits) (await scene.ask(visit)).reset();
    for (const visit of visits) {
      const peer = await scene.ask(visit);
      const { checks } = scene;
      const isSeen = () => scene.checks > checks || peer.answer !== '' || peer.closed;
      if (visit !== nobody) await until(isSeen, 'its owner has it');
      peer.reset();
    }
    await until(() => scene.sockets.size === 0, 'no socket is left', GENEROUS_MS);
    assertPeersAreToBlame(scene);
  });

  holds('a client that asks and leaves is released', async (scene) => {
    for (const visit of [ours, slow(ours), theirs, slow(theirs), nobody]) {
      const peer = await scene.ask(visit);
      peer.text('a frame before there is an answer');
      peer.end();
    }
    await until(() => scene.sockets.size === 0, 'no socket is left', GENEROUS_MS);
    assertPeersAreToBlame(scene);
  });

  holds(
    'a client that never ends its side is released where no server handles it',
    async (scene) => {
      const peer = await RawPeer.connect(scene.port, { allowHalfOpen: true });
      peer.request({ path: nobody.path });
      await until(() => scene.sockets.size === 1, 'it is there');
      await until(() => scene.sockets.size === 0, 'no socket is left', GENEROUS_MS);
      peer.destroy();
    },
  );

  holds('close() of the neighbour leaves ours serving', async (scene) => {
    const early = await scene.visit(ours);
    const theirClient = await scene.visit(theirs);
    void theirClient.finishPolitely();
    const left = scene.leave();
    if (!neighbour.closesServer) await left;
    await scene.talk(early, ours);
    if (!neighbour.closesServer) await scene.visit(ours);
    assert.deepEqual([scene.failures, scene.verdicts], [[], []]);
    await scene.supervisor.drain({ withinMs: 50 });
    await left;
  });

  holds('our detach leaves the neighbour serving, and restores the server', async (scene) => {
    const early = await scene.visit(ours);
    scene.detach();
    assert.equal(Object.hasOwn(scene.server, 'emit'), false);
    await scene.visit(theirs);
    await scene.talk(early, ours);
    const { by, status } = neighbour.unserved;
    if (by === 'neighbour') assert.equal(await scene.refused(ours), status);
    assert.deepEqual([scene.failures, scene.verdicts], [[], []]);
  });
}

/** What the clients did themselves, and nothing about requests that were not ours. */
function assertPeersAreToBlame({ failures, verdicts }: Scene): void {
  const causes = failures.filter(({ path }) => path === ours.path).map(({ cause }) => cause);
  for (const cause of causes) assert.match(cause, /^(abandoned|tcp-reset)$/);
  for (const { cause } of verdicts) assert.match(cause, /^tcp-(reset|fin)$/);
  const others = failures.filter(({ path }) => path !== ours.path);
  assert.deepEqual(
    others.filter(({ cause }) => cause !== 'wrong-path'),
    [],
  );
}
