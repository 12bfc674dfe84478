// Goal: when the bus has lost messages, every member is told so wherever it was, and gets what comes next. Method: real servers whose
// disk is replaced by an older copy, emptied, or whose stream is deleted, and members that are there, were there, and were away.
import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { connect } from '@nats-io/transport-node';
import type { ByThePage } from '../support/by-the-page.ts';
import {
  appendAll,
  DurableRoom,
  gets,
  getsPlainly,
  isTold,
  ROOM,
} from '../support/durable-room.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import { natsServers } from '../support/nats-versions.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = new Stops();
afterEach(() => stops.all());

async function isClosed(peer: RawPeer): Promise<void> {
  await until(() => peer.closeFrame !== undefined, 'the plain peer is closed');
  assert.equal(peer.closeFrame?.code, 1013);
}

/** Is appended to a stream that was deleted. Whether a member gets it depends on who finds that out first. */
const FINDER = 'finder';

async function hasNext({ messages }: ByThePage, expected: readonly unknown[]): Promise<void> {
  await until(() => messages.at(-1) === expected.at(-1), 'the last arrives');
  assert.deepEqual(
    messages.filter((message) => message !== FINDER),
    expected,
  );
}

for (const program of await natsServers()) {
  describe(`a bus that has lost messages, nats-server ${program.version}`, {
    timeout: 60_000,
  }, async () => {
    const server = await JetStreamServer.start(program);
    after(() => server.end());

    /** Two nodes with a live member each, and a plain peer at the first. */
    async function scene() {
      const room = new DurableRoom({ servers: server.url });
      stops.add(() => room.stop());
      const [one, other] = [await room.node(), await room.node()];
      const live = [await room.page(one), await room.page(other)];
      const peer = await room.plain(one);
      return { room, one, other, live, peer };
    }

    /** Lets a member go away after it has as many messages. Returns how it comes back. */
    async function sleeper(room: DurableRoom, node: Service, messages: readonly unknown[]) {
      const page = await room.page(node);
      return async (at: Service) => {
        await gets(page, messages);
        page.socket.terminate();
        return () => room.page(at, page.positions);
      };
    }

    it('because its disk is an older one tells so to all, and they get what comes next', async () => {
      const { room, one, other, live, peer } = await scene();
      const fallAsleep = {
        behind: await sleeper(room, one, [1, 2, 3]),
        ahead: await sleeper(room, other, [1, 2, 3, 4, 5, 6]),
      };
      await appendAll(one, [1, 2, 3]);
      const wakeBehind = await fallAsleep.behind(other);
      await server.remember();
      await room.untilUp();
      await appendAll(other, [4, 5, 6]);
      const wakeAhead = await fallAsleep.ahead(one);
      for (const member of live) await gets(member, [1, 2, 3, 4, 5, 6]);
      await getsPlainly(peer, [1, 2, 3, 4, 5, 6]);

      await server.rollBack();
      for (const member of live) await isTold(member, 2, 'reset');
      await isClosed(peer);
      await appendAll(one, [7]);
      const back = [await wakeBehind(), await wakeAhead()];
      for (const member of back) await isTold(member, 1, 'reset');
      await appendAll(other, [8, 9]);
      for (const member of live) await gets(member, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
      for (const member of back) await gets(member, [8, 9]);
      const events = [one, other].map((node) => node.of('topic.reset').map(({ topic }) => topic));
      assert.deepEqual(events, [[ROOM], [ROOM]]);

      // From here on, all is as before.
      const [first] = back as [ByThePage];
      first.socket.terminate();
      await appendAll(one, [10]);
      const again = await room.page(one, first.positions);
      await isTold(again, 1, 'resumed');
      await gets(again, [10]);
    });

    const losses = {
      'it was emptied': async () => {
        await server.empty();
        await server.restart();
      },
      'its stream was deleted': async (room: DurableRoom, node: Service) => {
        const outside = await connect({ servers: server.url });
        await outside.request(`$JS.API.STREAM.DELETE.${room.name}`);
        await outside.close();
        // An append finds it out.
        await appendAll(node, [FINDER]);
      },
    };
    for (const [what, lose] of Object.entries(losses))
      it(`because ${what} tells so to all, and they get what comes next`, async () => {
        const { room, one, other, live, peer } = await scene();
        const fallAsleep = await sleeper(room, other, [1, 2, 3]);
        await appendAll(one, [1, 2, 3]);
        const wake = await fallAsleep(one);
        for (const member of live) await gets(member, [1, 2, 3]);
        await getsPlainly(peer, [1, 2, 3]);
        await lose(room, other);
        for (const member of live) await isTold(member, 2, 'reset');
        await isClosed(peer);
        const back = await wake();
        await isTold(back, 1, 'reset');
        await appendAll(other, [4, 5]);
        await hasNext(back, [4, 5]);
        for (const member of live) await hasNext(member, [1, 2, 3, 4, 5]);
      });
  });
}
