import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { auditTime, concat, from, interval, map, merge, of, Subject, take } from 'rxjs';
import { caughtUp, crowd, type Member } from '../support/crowd.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

describe('topics', () => {
  let service: Service;
  afterEach(() => service.stop());

  const start = async () => {
    service = await Service.start();
    return service.supervisor;
  };

  /** What each member has received, once all have everything. */
  async function received(members: readonly Member[]): Promise<unknown[][]> {
    await Promise.all(members.map((member) => caughtUp(member, 'mark')));
    return members.map(({ peer }) => peer.texts.map((text) => JSON.parse(text)).slice(0, -1));
  }

  it('publish reaches the members and nobody else', async () => {
    const supervisor = await start();
    const members = await crowd(service, 3);
    const [a, b] = members;
    assert.equal(a?.connection.join('news'), true);
    assert.equal(b?.connection.join('news'), true);
    assert.equal(b?.connection.join('sports'), true);
    assert.equal(supervisor.topic('news').size, 2);
    const { delivered, dropped } = supervisor.topic('news').publish({ n: 1 });
    assert.deepEqual({ delivered, dropped }, { delivered: 2, dropped: 0 });
    assert.equal(supervisor.topic('sports').publish({ n: 2 }).delivered, 1);
    assert.equal(supervisor.topic('weather').publish({ n: 3 }).delivered, 0);
    assert.deepEqual(await received(members), [[{ n: 1 }], [{ n: 1 }, { n: 2 }], []]);
    assert.deepEqual(b?.connection.topics, ['news', 'sports']);
  });

  it('joining twice is joining once, leaving twice is leaving once', async () => {
    const supervisor = await start();
    const [member] = await crowd(service, 1);
    assert.ok(member);
    const { connection } = member;
    assert.deepEqual([connection.join('news'), connection.join('news')], [true, true]);
    assert.equal(supervisor.topic('news').size, 1);
    assert.equal(supervisor.topic('news').publish(1).delivered, 1);
    assert.deepEqual([connection.leave('news'), connection.leave('news')], [true, false]);
    assert.equal(supervisor.topic('news').size, 0);
    assert.equal(supervisor.topic('news').publish(2).delivered, 0);
    assert.equal(connection.leave('never'), false);
    assert.deepEqual(await received([member]), [[1]]);
  });

  it('except excludes one, or several, or any that an iterable yields', async () => {
    const supervisor = await start();
    const members = await crowd(service, 4);
    const all = members.map(({ connection }) => connection);
    for (const connection of all) connection.join('news');
    const [a, b] = all;
    assert.ok(a && b);
    const news = supervisor.topic('news');
    const counts = [
      news.publish('one', { except: a }).delivered,
      news.publish('list', { except: [a, b] }).delivered,
      news.publish('set', { except: new Set(all) }).delivered,
      news.publish('none', { except: [] }).delivered,
      supervisor.broadcast('all but a', { except: a }).delivered,
      supervisor.broadcast('iterable', { except: supervisor.connections }).delivered,
    ];
    assert.deepEqual(counts, [3, 2, 0, 4, 3, 0]);
    const got = await received(members);
    assert.deepEqual(got[0], ['none']);
    assert.deepEqual(got[1], ['one', 'none', 'all but a']);
    assert.deepEqual(got[2], ['one', 'list', 'none', 'all but a']);
  });

  it('where selects members, together with except', async () => {
    const supervisor = await start();
    const members = await crowd(service, 3);
    const [a, b, c] = members.map(({ connection }) => connection);
    const asked: string[] = [];
    const { delivered } = supervisor.broadcast('hello', {
      ...(a && { except: a }),
      where: ({ id }) => {
        asked.push(id);
        return id !== b?.id;
      },
    });
    assert.equal(delivered, 1);
    assert.deepEqual(asked, [b?.id, c?.id]);
    assert.deepEqual(await received(members), [[], [], ['hello']]);
  });

  it('only `true` selects a member', async () => {
    const supervisor = await start();
    const members = await crowd(service, 1);
    for (const answer of [1, 'yes', {}, undefined, null, 0]) {
      const where = () => answer as unknown as boolean;
      assert.equal(supervisor.broadcast('hello', { where }).delivered, 0);
    }
    assert.deepEqual(await received(members), [[]]);
  });

  it('invalid names are refused, by topic, join and leave', async () => {
    const supervisor = await start();
    const [member] = await crowd(service, 1);
    for (const name of ['', undefined, null, 5, {}, ['news'], 'x'.repeat(257)]) {
      assert.throws(() => supervisor.topic(name as string), { code: 'invalid-topic' });
      assert.throws(() => member?.connection.join(name as string), { code: 'invalid-topic' });
      assert.throws(() => member?.connection.leave(name as string), { code: 'invalid-topic' });
    }
    for (const name of ['__proto__', 'constructor', ' ', '\0', 'x'.repeat(256)]) {
      assert.equal(member?.connection.join(name), true);
      assert.equal(supervisor.topic(name).size, 1);
      assert.equal(supervisor.topic(name).publish('hello').delivered, 1);
    }
  });

  it('a connection joins topicsMax topics and no more', async () => {
    service = await Service.start({ limits: { topicsMax: 3 } });
    const [member] = await crowd(service, 1);
    const join = (name: string) => member?.connection.join(name);
    assert.deepEqual(['a', 'b', 'c', 'd', 'a'].map(join), [true, true, true, false, true]);
    assert.equal(service.supervisor.topic('d').size, 0);
    member?.connection.leave('a');
    assert.deepEqual(['d', 'a'].map(join), [true, false]);
    assert.deepEqual(member?.connection.topics, ['b', 'c', 'd']);
  });

  it('members with a running onOpen get publications', async () => {
    service = await Service.start({
      onOpen: (connection) => {
        connection.join('news');
        return new Promise(() => {});
      },
      timeouts: { welcomeMs: 60_000 },
    });
    const peer = await RawPeer.open(service.port);
    await service.opened();
    assert.equal(service.supervisor.topic('news').publish('early').delivered, 1);
    await until(() => peer.texts.length === 1, 'it arrives');
    peer.destroy();
  });

  const endings: readonly [string, (member: Member) => void][] = [
    ['close', ({ connection }) => connection.close()],
    ['fail', ({ connection }) => connection.fail(new Error('over'))],
    ['terminate', ({ connection }) => connection.terminate()],
  ];

  for (const [title, end] of endings) {
    it(`${title}() removes a member from its topics before it returns`, async () => {
      const supervisor = await start();
      const [a, b] = await crowd(service, 2);
      assert.ok(a && b);
      for (const { connection } of [a, b]) connection.join('news');
      end(a);
      assert.equal(supervisor.topic('news').size, 1);
      assert.equal(supervisor.topic('news').publish('late').delivered, 1);
      assert.equal(supervisor.broadcast('late').delivered, 1);
      assert.equal(a.connection.join('news'), false);
      await a.peer.finishPolitely();
      await until(() => service.inFlight === 1, 'it is gone');
      assert.deepEqual(a.peer.texts, []);
    });
  }

  const losses: readonly [string, (member: Member) => void][] = [
    ['a close frame', ({ peer }) => peer.sendClose(1000)],
    ['a reset', ({ peer }) => peer.reset()],
    ['a FIN', ({ peer }) => peer.end()],
    ['a violation', ({ peer }) => peer.send({ opcode: 3 })],
  ];

  for (const [title, lose] of losses) {
    it(`${title} of the peer removes it from its topics before anything is reported`, async () => {
      const supervisor = await start();
      const [a, b] = await crowd(service, 2);
      assert.ok(a && b);
      for (const { connection } of [a, b]) connection.join('news');
      const sizes: number[] = [];
      supervisor.events$.subscribe(() => sizes.push(supervisor.topic('news').size));
      lose(a);
      await until(() => service.inFlight === 1, 'it is gone');
      assert.ok(sizes.length >= 2);
      assert.deepEqual(new Set(sizes), new Set([1]));
    });
  }

  it('order is kept, for each member, across topics and direct sends', async () => {
    const supervisor = await start();
    const members = await crowd(service, 3);
    for (const { connection } of members) connection.join('odd');
    const expected: number[] = [];
    for (let n = 0; n < 300; n += 3) {
      supervisor.topic('odd').publish(n);
      supervisor.broadcast(n + 1);
      for (const { connection } of members) connection.send(n + 2);
      expected.push(n, n + 1, n + 2);
    }
    assert.deepEqual(await received(members), [expected, expected, expected]);
  });

  it('every message is encoded once, for any number of members', async () => {
    let encoded = 0;
    const message = {
      toJSON: () => {
        encoded += 1;
        return 'hello';
      },
    };
    const supervisor = await start();
    const members = await crowd(service, 5);
    for (const { connection } of members) connection.join('news');
    assert.equal(supervisor.topic('news').publish(message).delivered, 5);
    assert.equal(supervisor.broadcast(message).delivered, 5);
    assert.equal(encoded, 2);
  });
});

describe('a topic as an Observer', () => {
  let service: Service;
  afterEach(() => service.stop());

  async function subscribed(): Promise<Member> {
    service = await Service.start();
    const [member] = await crowd(service, 1);
    assert.ok(member);
    member.connection.join('prices');
    return member;
  }

  it('accepts whatever an Observable emits', async () => {
    const { peer } = await subscribed();
    const prices = service.supervisor.topic('prices');
    concat(of(1, 2), from([3, 4]).pipe(map((n) => n * 10)), interval(1).pipe(take(2))).subscribe(
      prices,
    );
    await until(() => peer.texts.length === 6, 'all arrive');
    assert.deepEqual(peer.texts, ['1', '2', '30', '40', '0', '1']);
  });

  it('with auditTime in front sends the newest only', async () => {
    const { peer } = await subscribed();
    const prices$ = new Subject<number>();
    prices$.pipe(auditTime(20)).subscribe(service.supervisor.topic('prices'));
    for (let price = 1; price <= 1_000; price += 1) prices$.next(price);
    await until(() => peer.texts.length === 1, 'one arrives');
    assert.deepEqual(peer.texts, ['1000']);
    prices$.complete();
  });

  it('can have several sources, which may end at any time', async () => {
    const { peer } = await subscribed();
    const prices = service.supervisor.topic('prices');
    const a$ = new Subject<string>();
    const b$ = new Subject<string>();
    const subscription = a$.subscribe(prices);
    merge(b$, of('c')).subscribe(prices);
    a$.next('a');
    subscription.unsubscribe();
    a$.next('nobody receives it');
    b$.next('b');
    b$.complete();
    prices.publish('d');
    await until(() => peer.texts.length === 4, 'all arrive');
    assert.deepEqual(peer.texts, ['"c"', '"a"', '"b"', '"d"']);
  });

  it('works when its methods are detached', async () => {
    const { peer } = await subscribed();
    const { next, error, complete } = service.supervisor.topic('prices');
    next('one');
    error(new Error('boom'));
    complete();
    next('two');
    await until(() => peer.texts.length === 2, 'both arrive');
    assert.equal(service.of('handler.errored').length, 1);
  });

  it('without members accepts everything and keeps nothing', async () => {
    service = await Service.start();
    const empty = service.supervisor.topic('empty');
    of(1, 2, 3).subscribe(empty);
    assert.equal(empty.size, 0);
    const [member] = await crowd(service, 1);
    member?.connection.join('empty');
    assert.equal(empty.publish(4).delivered, 1);
    await until(() => member?.peer.texts.length === 1, 'one arrives');
    assert.deepEqual(member?.peer.texts, ['4']);
  });
});
