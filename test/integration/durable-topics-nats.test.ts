// Goal: members of durable topics on a real bus get what they missed, once and in order, when they come back to any process or
// are slow, or are told that it is not kept any more. Method: supervisors on a real nats-server, clients of the library, clients
// that only know the page about the protocol, and plain peers.
import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import type { NatsBusOptions } from '../../src/bus/nats/index.ts';
import type { ByThePage } from '../support/by-the-page.ts';
import {
  appendAll,
  DurableRoom,
  gets,
  getsPlainly,
  isTold,
  numbers,
  ROOM,
} from '../support/durable-room.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const program = await newestNatsServer();
const server = await JetStreamServer.start(program);
after(() => server.end());

const stops = new Stops();
afterEach(() => stops.all());

function makeRoom(retention: NatsBusOptions['retention'] = {}): DurableRoom {
  const room = new DurableRoom({ servers: server.url, retention });
  stops.add(() => room.stop());
  return room;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a member that comes back to another process', { timeout: 60_000 }, () => {
  it('gets what it missed before what comes next, once and in order', async () => {
    const room = makeRoom();
    const [one, other] = [await room.node(), await room.node()];
    let { url } = one;
    const member = await room.client(() => url);
    const page = await room.page(one);
    await appendAll(other, numbers(1, 5));
    for (const { messages } of [member, page])
      await until(() => messages.length === 5, 'the first ones arrive');
    url = other.url;
    page.socket.terminate();
    for (const connection of one.supervisor.connections) connection.terminate();
    const back = await room.page(other, page.positions);
    await appendAll(one, numbers(6, 200));
    await isTold(back, 1, 'resumed');
    await isTold({ told: member.recoveries }, 2, 'resumed');
    await gets(back, numbers(6, 200));
    await gets(member, numbers(1, 200));
  });

  it('is resumed by a process that was not there before', async () => {
    const room = makeRoom();
    const one = await room.node();
    const page = await room.page(one);
    await appendAll(one, numbers(1, 3));
    await gets(page, numbers(1, 3));
    page.socket.terminate();
    await appendAll(one, numbers(4, 6));
    const fresh = await room.node();
    const back = await room.page(fresh, page.positions);
    await isTold(back, 1, 'resumed');
    await appendAll(one, [7]);
    await gets(back, numbers(4, 7));
  });

  it('leaves no trace at a plain peer: it gets the messages and no heading', async () => {
    const room = makeRoom();
    const [one, other] = [await room.node(), await room.node()];
    for (const node of [one, other]) await room.page(node);
    const peers = [await room.plain(one), await room.plain(other)];
    await appendAll(one, numbers(1, 20));
    await appendAll(other, numbers(21, 40));
    for (const peer of peers) {
      await getsPlainly(peer, numbers(1, 40));
      assert.ok(peer.texts.every((text) => !text.startsWith('\u0001')));
    }
  });
});

describe('what is not kept any more', { timeout: 60_000 }, () => {
  /** A member that goes away, and a process whose topic does not linger from before. */
  async function away(room: DurableRoom) {
    const one = await room.node();
    const page = await room.page(one);
    await appendAll(one, ['first']);
    await gets(page, ['first']);
    page.socket.terminate();
    const comeBack = async () => room.page(await room.node(), page.positions);
    return { one, comeBack };
  }

  it('because there were too many messages is told as expired', async () => {
    const room = makeRoom({ messagesPerTopic: 300 });
    const { one, comeBack } = await away(room);
    await appendAll(one, numbers(1, 299));
    const inTime = await comeBack();
    await isTold(inTime, 1, 'resumed');
    await gets(inTime, numbers(1, 299));
    await appendAll(one, [300, 301]);
    const late = await comeBack();
    await isTold(late, 1, 'expired');
    await appendAll(one, [302]);
    await gets(late, [302]);
    await gets(inTime, numbers(1, 302));
  });

  it('because it is too old is told as expired', async () => {
    const room = makeRoom({ forMs: 2_000 });
    const { one, comeBack } = await away(room);
    await appendAll(one, [1, 2]);
    await wait(2_500);
    const late = await comeBack();
    await isTold(late, 1, 'expired');
    await appendAll(one, [3]);
    await gets(late, [3]);
  });

  it('is not missed by a member of a topic that was silent for longer than messages are kept', async () => {
    const room = makeRoom({ forMs: 2_000 });
    const one = await room.node();
    const page = await room.page(one);
    await appendAll(one, [1]);
    await gets(page, [1]);
    await wait(5_000);
    page.socket.terminate();
    await wait(1_000);
    const back = await room.page(await room.node(), page.positions);
    await isTold(back, 1, 'resumed');
    await appendAll(one, [2]);
    await gets(back, [2]);
    assert.deepEqual(page.messages, [1]);
  });
});

describe('a slow member', { timeout: 60_000 }, () => {
  const text = 'x'.repeat(8_192);
  const big = (number: number) => `${number} ${text}`;
  const numberOf = (message: unknown) => Number.parseInt(String(message), 10);

  async function flood({ supervisor }: Service, first: number, last: number): Promise<void> {
    const topic = supervisor.topic(ROOM);
    const appended = await Promise.all(numbers(first, last).map((n) => topic.append(big(n))));
    assert.ok(appended.every(({ outcome }) => outcome === 'kept'));
  }

  /** A member that reads nothing, until its connection is congested. Returns it, and how many messages there are. */
  async function congested(room: DurableRoom, node: Service, from: Service) {
    const slow = await room.page(node);
    const [connection] = [...node.supervisor.connections];
    assert.ok(connection);
    slow.socket.pause();
    let count = 0;
    for (; connection.flow !== 'congested'; count += 50) await flood(from, count + 1, count + 50);
    return { slow, connection, count };
  }

  const hasAll = ({ messages }: ByThePage, count: number) =>
    until(() => messages.length >= count, `it has ${count} messages`).then(() =>
      assert.deepEqual(messages.map(numberOf), numbers(1, count)),
    );

  it('catches up from the ring, though the bus is away', async () => {
    const room = makeRoom();
    const [one, other] = [await room.node(), await room.node()];
    const { slow, connection, count } = await congested(room, one, other);
    const quick = await room.client(one.url);
    await flood(other, count + 1, count + 20);
    await until(() => quick.messages.length === 20, 'the quick one has them');
    await server.kill();
    slow.socket.resume();
    await hasAll(slow, count + 20);
    assert.equal(connection.droppedMessages, 0);
    await server.restart();
    await room.untilUp();
    await flood(other, count + 21, count + 21);
    await hasAll(slow, count + 21);
    assert.equal(slow.told.length, 1);
  });

  it('catches up from the log, and holds no more than its outbox meanwhile', async () => {
    const room = makeRoom({ messagesPerTopic: 5_000 });
    const [one, other] = [await room.node(), await room.node()];
    const { slow, connection, count } = await congested(room, one, other);
    const quick = await room.client(one.url);
    const peer = await room.plain(one);
    for (const at of numbers(0, 9)) await flood(other, count + at * 50 + 1, count + at * 50 + 50);
    await until(() => quick.messages.length === 500, 'the quick one has them');
    await until(() => peer.texts.length === 500, 'the plain one has them');
    const { bufferedBytes } = connection;
    assert.ok(bufferedBytes < 1_048_576 + 2 * text.length, `${bufferedBytes} bytes wait`);
    slow.socket.resume();
    await hasAll(slow, count + 500);
    assert.equal(connection.droppedMessages, 0);
    await flood(other, count + 501, count + 501);
    await hasAll(slow, count + 501);
    assert.equal(slow.told.length, 1);
  });
});

describe('a request that appends', { timeout: 60_000 }, () => {
  it('is repeated when its answer is lost, and its message is kept once', async () => {
    const room = makeRoom();
    const calls: [node: string, id: string, outcome: string][] = [];
    /** The first answer is lost with its connection. */
    const node = (name: string): Promise<Service> =>
      room.node(
        {},
        {
          async onRequest(connection, request, { id }) {
            const appended = await service
              .get(name)
              ?.supervisor.topic(ROOM)
              .append(request, { id });
            calls.push([name, id, String(appended?.outcome)]);
            if (calls.length === 1) connection.terminate();
            return appended;
          },
        },
      );
    const service = new Map([
      ['one', await node('one')],
      ['other', await node('other')],
    ]);
    const [one, other] = [...service.values()] as [Service, Service];
    let { url } = one;
    const watcher = await room.page(other);
    const { client, messages } = await room.client(() => url);
    url = other.url;
    const answer = await client.request('order', { timeoutMs: 10_000 });
    const [[, id] = []] = calls;
    assert.ok(id);
    assert.deepEqual(calls, [
      ['one', id, 'kept'],
      ['other', id, 'duplicate'],
    ]);
    assert.equal((answer as { outcome: string }).outcome, 'duplicate');
    await appendAll(one, ['next']);
    await gets(watcher, ['order', 'next']);
    await gets({ messages }, ['order', 'next']);
    assert.equal((answer as { id: string }).id, id);
  });
});
