import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { from } from 'rxjs';
import { z } from 'zod';
import { type Bus, binaryCodec, type SupervisorOptions } from '../../src/index.ts';
import { memberOf } from './bus-suite.ts';
import type { Member } from './crowd.ts';
import { heardBy, hears, Nodes } from './nodes.ts';
import { PlainClient } from './plain-client.ts';
import { turns, until } from './until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

/** What supervisors on one bus must do, whatever the bus is. @param busesOf - the buses of one service */
export function nodesSuite(name: string, busesOf: (count: number) => readonly Bus[]): void {
  let nodes: Nodes;
  let buses: readonly Bus[];

  async function start(count: number, options: Options = {}): Promise<void> {
    buses = busesOf(count);
    nodes = await Nodes.start(buses, options);
  }

  /** A member of `room` on each of the nodes. */
  function memberOfEach(): Promise<Member[]> {
    return Promise.all(nodes.services.map((_, node) => nodes.member(node, ['room'])));
  }

  const room = (node: number) => nodes.supervisor(node).topic('room');

  describe(`supervisors on a ${name}`, () => {
    afterEach(() => nodes.stop());

    it('publish to members on every node, once and in order', async () => {
      await start(3);
      const members = await memberOfEach();
      const stranger = await nodes.member(1, ['elsewhere']);
      const sent = Array.from({ length: 500 }, (_, number) => ({ number }));
      for (const message of sent) {
        const delivery = room(0).publish(message);
        assert.deepEqual(delivery, { delivered: 1, kept: 0, dropped: 0, forwarded: true });
        if (message.number % 50 === 0) await turns();
      }
      for (const member of members) {
        await hears(member, sent.at(-1));
        assert.deepEqual(heardBy(member.peer), sent);
      }
      assert.deepEqual(heardBy(stranger.peer), []);
    });

    it('publish what an Observable feeds, and broadcast', async () => {
      await start(2);
      const members = await memberOfEach();
      from(['one', 'two']).subscribe(room(1));
      const delivery = nodes.supervisor(1).broadcast('all');
      assert.deepEqual(delivery, { delivered: 1, kept: 0, dropped: 0, forwarded: true });
      for (const member of members) await hears(member, 'all');
      assert.deepEqual(
        members.map(({ peer }) => heardBy(peer)).map((heard) => heard.slice(-3)),
        [
          ['one', 'two', 'all'],
          ['one', 'two', 'all'],
        ],
      );
    });

    it('publish binary messages', async () => {
      await start(2, { codec: binaryCodec() });
      const heard: unknown[] = [];
      room(1).messages$.subscribe((message) => heard.push(message));
      const bytes = Buffer.from([0, 1, 10, 255]);
      while (heard.length === 0) {
        room(0).publish(bytes);
        await turns(5);
      }
      assert.deepEqual(heard[0], bytes);
    });

    it('leave out connections of this node, and those of others by their ids', async () => {
      await start(2);
      const [here, there] = (await memberOfEach()) as [Member, Member];
      const further = await nodes.member(1, ['room']);
      const { id } = there.connection;
      assert.match(id, /^[0-9a-z]{6}\.c[0-9a-z]+$/);
      room(0).publish('by id', { except: id });
      room(0).publish('by handle', { except: here.connection });
      room(0).publish('both', { except: new Set([here.connection, id, 'unknown', 'zzzzzz.c1']) });
      nodes.supervisor(0).broadcast('broadcast', { except: [id, here.connection.id] });
      room(0).publish('end');
      for (const member of [here, there, further]) await hears(member, 'end');
      assert.deepEqual(heardBy(here.peer), ['by id', 'end']);
      assert.deepEqual(heardBy(there.peer), ['by handle', 'end']);
      assert.deepEqual(heardBy(further.peer), ['by id', 'by handle', 'both', 'broadcast', 'end']);
      assert.equal(nodes.supervisor(0).get(id), undefined);
      assert.equal(nodes.supervisor(1).get(id), there.connection);
    });

    it('publish in one process with local, and select only there', async () => {
      await start(2);
      const [here, there] = (await memberOfEach()) as [Member, Member];
      const local = { delivered: 1, kept: 0, dropped: 0, forwarded: false };
      assert.deepEqual(room(0).publish('local', { local: true }), local);
      const where = () => true;
      assert.deepEqual(room(0).publish('selected', { local: true, where }), local);
      assert.deepEqual(nodes.supervisor(0).broadcast('to all here', { local: true }), local);
      const problem = {
        code: 'invalid-options',
        message:
          'options.where: cannot select in other processes; add local: true to publish in this one only',
      };
      assert.throws(() => room(0).publish('nowhere', { where }), problem);
      assert.throws(
        () => nodes.supervisor(0).broadcast('nowhere', { where, local: false }),
        problem,
      );
      room(0).publish('end');
      for (const member of [here, there]) await hears(member, 'end');
      assert.deepEqual(heardBy(here.peer), ['local', 'selected', 'to all here', 'end']);
      assert.deepEqual(heardBy(there.peer), ['end']);
    });

    it('emit what others publish, as long as somebody listens', async () => {
      await start(2, { sends: z.object({ n: z.number() }) });
      const heard: unknown[] = [];
      const subscription = room(1).messages$.subscribe((message) => heard.push(message));
      while (heard.length === 0) {
        room(0).publish({ n: 1, dropped: 'by the contract' });
        await turns(5);
      }
      assert.deepEqual(heard[0], { n: 1 });
      subscription.unsubscribe();
      const count = heard.length;
      room(0).publish({ n: 2 });
      const witness = await nodes.member(1, []);
      nodes.supervisor(0).broadcast({ n: 3 });
      await hears(witness, { n: 3 });
      assert.equal(heard.length, count);
    });

    it('let others get a publication before what is published in answer to it', async () => {
      await start(2);
      const [, there] = (await memberOfEach()) as [Member, Member];
      room(0).messages$.subscribe((message) => {
        if (message === 'question') room(0).publish('answer');
      });
      for (let round = 0; round < 20; round += 1) room(0).publish('question');
      room(0).publish('end');
      await hears(there, 'end');
      const pairs = Array.from({ length: 20 }, () => ['question', 'answer']).flat();
      assert.deepEqual(heardBy(there.peer), [...pairs, 'end']);
    });

    it('apply the policy of the publisher to slow members of other nodes', async () => {
      const limits = { outboxHighBytes: 100_000, outboxLowBytes: 20_000 };
      await start(2, { limits, timeouts: { closeMs: 300 } });
      const slow = await nodes.member(1, ['room']);
      const quick = await nodes.member(1, ['room']);
      await congest(slow);
      room(0).publish('dropped');
      const keyOf = (message: unknown) => (message as { key: string }).key;
      const latest = nodes.supervisor(0).topic('room', { overflow: 'latest', keyOf });
      for (const price of [1, 2, 3]) latest.publish({ key: 'a', price });
      latest.publish({ key: 'b', price: 9 });
      await hears(quick, { key: 'b', price: 9 });
      assert.equal(slow.connection.flow, 'congested');
      slow.peer.socket.resume();
      await hears(slow, { key: 'b', price: 9 });
      const quotes = heardBy(slow.peer).filter((message) => typeof message === 'object');
      assert.deepEqual(quotes, [
        { key: 'a', price: 3 },
        { key: 'b', price: 9 },
      ]);
      // One was dropped, and two were replaced.
      assert.equal(slow.connection.droppedMessages, 3);
      await congest(slow);
      nodes.supervisor(0).topic('room', { overflow: 'close' }).publish('closes');
      await until(() => nodes.services[1]?.of('connection.closed').length === 1, 'it is closed');
      assert.equal(nodes.services[1]?.of('connection.closed')[0]?.verdict.cause, 'slow-consumer');
      slow.peer.destroy();
    });

    it('report messages of other programs that are wrong, and deliver the rest', async () => {
      await start(1);
      const member = await nodes.member(0, ['room']);
      const { link } = await memberOf(buses[0] as Bus);
      const publish = (message: Uint8Array | string) =>
        assert.equal(link.publish('live/room', Buffer.from(message)), true);
      publish(Buffer.from([0xff, 0xfe]));
      publish('\u0001');
      publish('\u0001{\n"x"');
      publish('\u00017\n"x"');
      publish('\u0001[]\n"x"');
      publish('\u0001{"except":"c1"}\n"x"');
      publish('\u0001{"overflow":"wait"}\n"x"');
      publish('\u0001{"key":1}\n"x"');
      publish('\u0001{"binary":"yes"}\n"x"');
      publish('\u0001{}\n\u0001["go"]');
      publish('\u0005');
      publish('"plain"');
      publish('\u0001{"later":true}\n"with a heading"');
      await hears(member, 'with a heading');
      assert.deepEqual(heardBy(member.peer), ['plain', 'with a heading']);
      const errors = nodes.services[0]?.of('handler.errored') ?? [];
      assert.deepEqual([...new Set(errors.map(({ handler }) => handler))], ['bus']);
      assert.deepEqual(
        errors.map(({ error }) => error.message),
        [
          'the text is not UTF-8',
          'the heading has no end',
          'the heading is not JSON',
          'the heading must be an object, not 7',
          'the heading must be an object, not a list',
          'except must be a list of ids, not a string',
          'overflow must be drop-newest, latest, close, not a string',
          'key must be a string, not 1',
          'binary must be a boolean, not a string',
          'the text begins as a message of Mooring itself',
          'the text begins as a message of Mooring itself',
        ],
      );
      await link.close();
    });

    it('refuse a message that is larger than the bus takes, and deliver it to nobody', async () => {
      await start(2);
      const members = await memberOfEach();
      const message = 'x'.repeat(1_100_000);
      assert.throws(() => room(0).publish(message), { code: 'message-too-large' });
      assert.throws(() => nodes.supervisor(0).broadcast(message), { code: 'message-too-large' });
      assert.equal(room(0).publish('small').forwarded, true);
      for (const member of members) {
        await hears(member, 'small');
        assert.deepEqual(heardBy(member.peer), ['small']);
      }
    });

    it('close a key on every node', async () => {
      await start(2, keyed);
      const ends = await Promise.all([0, 1, 1].map((node) => openAs(node, 'ada')));
      const other = await openAs(1, 'grace');
      await turns(20);
      assert.deepEqual(nodes.supervisor(1).closeKey('ada', 4401, 'signed out'), {
        closed: 2,
        forwarded: true,
      });
      for (const end of ends) assert.equal(await end.isClosed(), '4401 signed out');
      assert.equal(other.closed, '');
      assert.deepEqual(nodes.supervisor(0).closeKey('nobody'), { closed: 0, forwarded: true });
      assert.throws(() => nodes.supervisor(0).closeKey('ada', 1005), { code: 'invalid-close' });
      assert.throws(() => nodes.supervisor(0).closeKey(7 as never), { code: 'invalid-argument' });
    });

    it('newest: let the newest connection of a key replace the others, on every node', async () => {
      await start(2, { ...keyed, sameKey: 'newest' });
      const first = await openAs(0, 'ada');
      const grace = await openAs(0, 'grace');
      const second = await openAs(1, 'ada');
      assert.equal(await first.isClosed(), '4409 replaced');
      const third = await openAs(1, 'ada');
      assert.equal(await second.isClosed(), '4409 replaced');
      const verdicts = nodes.services.flatMap((service) => service.of('connection.closed'));
      for (const { verdict } of verdicts) {
        const { cause, origin, level } = verdict;
        assert.deepEqual([cause, origin, level], ['replaced', 'local', 'info']);
      }
      assert.deepEqual([third.closed, grace.closed], ['', '']);
    });

    it('newest: agree on one of those that open at once', async () => {
      await start(3, { ...keyed, sameKey: 'newest' });
      for (let round = 0; round < 10; round += 1) {
        const key = `key ${round}`;
        const all = await Promise.all([0, 1, 2, 0, 1, 2].map((node) => openAs(node, key)));
        await until(() => all.filter(({ closed }) => closed === '').length <= 1, 'one is left');
        await turns(20);
        assert.equal(all.filter(({ closed }) => closed === '').length, 1);
      }
    });

    it('newest: keep the order of a key when another program announces a stamp of the far future', async () => {
      await start(2, { ...keyed, sameKey: 'newest' });
      const { link } = await memberOf(buses[0] as Bus);
      const first = await openAs(0, 'ada');
      for (const stamp of [Number.MAX_SAFE_INTEGER, 2 ** 52])
        link.publish('keys', Buffer.from(JSON.stringify({ newest: [['x', stamp, 'y']] })));
      for (const service of nodes.services)
        await until(() => service.of('handler.errored').length === 2, 'both are reported');
      const second = await openAs(1, 'ada');
      assert.equal(await first.isClosed(), '4409 replaced');
      const third = await openAs(0, 'ada');
      assert.equal(await second.isClosed(), '4409 replaced');
      assert.equal(third.closed, '');
      const errors = nodes.services.flatMap((service) => service.of('handler.errored'));
      assert.deepEqual(
        [...new Set(errors.map(({ error }) => error.message))],
        ['a stamp lies in the far future'],
      );
      await link.close();
    });

    it('tell once that the bus is up, and leave it at the end of a drain', async () => {
      await start(2);
      const [one, other] = nodes.services;
      for (const service of nodes.services) assert.equal(service.of('bus.up').length, 1);
      const report = await nodes.supervisor(0).drain();
      assert.ok(report.tookMs < 1_000);
      assert.equal(nodes.supervisor(0).bus, 'down');
      assert.equal(room(0).publish('too late').forwarded, false);
      assert.deepEqual([one?.of('bus.down').length, other?.of('bus.down').length], [0, 0]);
      assert.equal(nodes.supervisor(1).bus, 'up');
    });
  });

  const keyed: Options = {
    authenticate: ({ url = '' }) => new URL(url, 'ws://x').searchParams.get('name'),
    key: (peer) => String(peer),
  };

  function openAs(node: number, name: string): Promise<PlainClient> {
    const url = nodes.services[node]?.url ?? '';
    return PlainClient.open(`${url}?name=${encodeURIComponent(name)}`);
  }
}

const FILLER = 'x'.repeat(20_000);

/** Fills the outbox of a member that does not read. */
async function congest({ peer, connection }: Member): Promise<void> {
  peer.pause();
  for (let calm = 0; calm < 5; calm = connection.flow === 'congested' ? calm + 1 : 0) {
    connection.send(FILLER);
    await turns(5);
  }
}
