import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { Notifications } from '../../src/chart/notifications.ts';
import type { Conflatable, ConflateResult } from '../../src/connection/outbox.ts';
import { WriteBatcher } from '../../src/connection/write-batcher.ts';
import type { SendResult } from '../../src/core/connection.ts';
import { messageFrame } from '../../src/core/frame.ts';
import { FanOut } from '../../src/server/fan-out.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import { deliveryOf, everybody, type Publication } from '../../src/server/publication.ts';
import type { AnyReporter } from '../../src/server/report.ts';
import type { Overflow } from '../../src/server/supervisor-types.ts';
import { Topics } from '../../src/server/topics.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

/** A connection that records its frames. */
class FakeConnection {
  topics: Set<string> | null = null;
  dropped = 0;
  isOpen = true;
  isCongested = false;
  endedAs: string | undefined;
  readonly got: string[] = [];
  /** What publishing returns, and what happens meanwhile. */
  onPublish: () => SendResult = () => (this.isCongested ? 'refused' : 'queued');
  readonly keep = mock.fn(
    (_: Conflatable): ConflateResult => ({ isConflated: true, replaced: false }),
  );
  readonly forget = mock.fn((_topic: string) => {});

  /** The part of its outbox that a fan-out uses; `null` when the socket can no longer be written to. */
  get outbox(): FakeConnection | null {
    return this;
  }

  /** It has always something of its own to get, so that each publication visits it at once. */
  get isIdle(): boolean {
    return false;
  }

  forgetTopic(name: string): void {
    this.forget(name);
  }

  publish(frame: Buffer): SendResult {
    const result = this.onPublish();
    if (result !== 'refused') this.got.push(frame.subarray(2).toString());
    return result;
  }

  end(cause: string): void {
    this.endedAs = cause;
    this.isOpen = false;
  }

  /** The part of an accepted connection. */
  get side(): this {
    return this;
  }

  get connection(): InboundConnection {
    return this as unknown as InboundConnection;
  }
}

function topicsFor(topicsMax: number): Topics {
  const reporter = { emit: () => {}, errored: () => {} } as unknown as AnyReporter;
  const notifications = new Notifications();
  const fanOut = new FanOut({
    notifications,
    batcher: new WriteBatcher(new VirtualClock()),
    highBytes: 100_000,
    audiencesOf: () => [],
  });
  return new Topics(topicsMax, { fanOut, notifications, reporter, reach: null, durable: null });
}

function join(topics: Topics, { connection }: FakeConnection, name = 'lobby'): boolean {
  topics.fanOut.setApart(connection);
  return topics.join(connection, name);
}

function crowd(count: number, topics: Topics, name = 'lobby'): FakeConnection[] {
  const connections = Array.from({ length: count }, () => new FakeConnection());
  for (const each of connections) join(topics, each, name);
  return connections;
}

function publicationOf(text: string, parts: Partial<Publication> = {}): Publication {
  const counts = { delivered: 0, kept: 0, replaced: 0, dropped: 0 };
  const frame = messageFrame(text);
  const policy = { overflow: 'drop-newest', topic: 'lobby', key: '' } as const;
  return { message: text, frame, durable: null, ...everybody, ...policy, ...counts, ...parts };
}

/** Publishes, and returns who got the message and who missed it. */
function publish(topics: Topics, text: string, accepts: Publication['accepts'] = null) {
  const publication = publicationOf(text, { accepts });
  topics.audience('lobby').publish(publication);
  return [publication.delivered, publication.dropped];
}

describe('Topics', () => {
  it('gives a publication to every member, and to no one else', () => {
    const topics = topicsFor(10);
    const members = crowd(3, topics);
    const [stranger] = crowd(1, topics, 'kitchen');
    assert.deepEqual(publish(topics, 'hi'), [3, 0]);
    for (const { got } of members) assert.deepEqual(got, ['hi']);
    assert.deepEqual(stranger?.got, []);
  });

  it('counts a member that refuses a message as dropped, and records it on the connection', () => {
    const topics = topicsFor(10);
    const [one, two] = crowd(2, topics);
    if (one) one.onPublish = () => 'refused';
    if (two) two.onPublish = () => 'queued';
    assert.deepEqual(publish(topics, 'hi'), [1, 1]);
    assert.deepEqual([one?.dropped, two?.dropped], [1, 0]);
  });

  it('counts the drops since the topic last got its first member', () => {
    const topics = topicsFor(10);
    const lobby = topics.audience('lobby');
    // A handle is held, so that the audience stays the same while it is empty.
    lobby.handle = {};
    const [one] = crowd(1, topics);
    assert.ok(one);
    one.onPublish = () => 'refused';
    publish(topics, 'hi');
    publish(topics, 'hi');
    const [two] = crowd(1, topics);
    assert.equal(lobby.dropped, 2);
    topics.leaveAll(one.connection);
    assert.equal(lobby.dropped, 2);
    if (two) topics.leaveAll(two.connection);
    assert.equal(lobby.dropped, 0);
    crowd(1, topics);
    assert.equal(lobby.dropped, 0);
    publish(topics, 'hi');
    assert.equal(lobby.dropped, 0);
  });

  it('calls the filter for members, and skips connections that are not open without counting them', () => {
    const topics = topicsFor(10);
    const [one, two, three] = crowd(3, topics);
    if (two) two.isOpen = false;
    assert.deepEqual(
      publish(topics, 'hi', (connection) => connection !== one?.connection),
      [1, 0],
    );
    assert.deepEqual([one?.got, two?.got, three?.got], [[], [], ['hi']]);
  });

  it('never adds a connection that is not open', () => {
    const topics = topicsFor(10);
    const closing = new FakeConnection();
    closing.isOpen = false;
    assert.equal(topics.join(closing.connection, 'lobby'), false);
    assert.equal(topics.audience('lobby').members.size, 0);
  });

  it('adds a member once, however often it joins', () => {
    const topics = topicsFor(10);
    const one = new FakeConnection();
    assert.deepEqual([join(topics, one), join(topics, one)], [true, true]);
    assert.equal(topics.audience('lobby').members.size, 1);
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
    assert.deepEqual(one.got, ['hi']);
  });

  it('lets a member join as many topics as the limit allows, and rejoin its own', () => {
    const topics = topicsFor(2);
    const one = new FakeConnection();
    const joined = ['a', 'b', 'c', 'a'].map((name) => join(topics, one, name));
    assert.deepEqual(joined, [true, true, false, true]);
    topics.leave(one.connection, 'a');
    assert.equal(join(topics, one, 'c'), true);
  });

  it('removes a member that leaves, and returns whether it was one', () => {
    const topics = topicsFor(10);
    const [one] = crowd(2, topics);
    assert.equal(topics.leave(one?.connection as InboundConnection, 'lobby'), true);
    assert.equal(topics.leave(one?.connection as InboundConnection, 'lobby'), false);
    assert.equal(topics.leave(new FakeConnection().connection, 'lobby'), false);
    assert.equal(topics.audience('lobby').members.size, 1);
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
  });

  it('removes a member that leaves all topics', () => {
    const topics = topicsFor(10);
    const one = new FakeConnection();
    for (const name of ['a', 'b', 'lobby']) join(topics, one, name);
    topics.leaveAll(one.connection);
    topics.leaveAll(one.connection);
    topics.leaveAll(new FakeConnection().connection);
    assert.deepEqual(
      ['a', 'b', 'lobby'].map((name) => topics.audience(name).members.size),
      [0, 0, 0],
    );
    assert.deepEqual(publish(topics, 'hi'), [0, 0]);
  });

  it('refuses a name that is not a non-empty string', () => {
    const topics = topicsFor(10);
    for (const name of ['', undefined, null, 7, {}, ['lobby']]) {
      const fault = { name: 'MooringError', code: 'invalid-topic' };
      assert.throws(() => topics.join(new FakeConnection().connection, name as string), fault);
      assert.throws(() => topics.leave(new FakeConnection().connection, name as string), fault);
    }
  });

  it('refuses a name with a lone surrogate, which has no UTF-8', () => {
    const topics = topicsFor(10);
    const fault = {
      name: 'MooringError',
      code: 'invalid-topic',
      message: 'a topic name must be well-formed, without a lone surrogate',
    };
    for (const name of ['\ud800', 'room \udc00', '\ud83d\ud83d\ude00', '\ud800'.repeat(86)]) {
      const { connection } = new FakeConnection();
      assert.throws(() => topics.audience(name), fault);
      assert.throws(() => topics.join(connection, name), fault);
      assert.throws(() => topics.leave(connection, name), fault);
    }
  });

  const longest = ['x'.repeat(256), 'é'.repeat(128), '€'.repeat(85), '😀'.repeat(64)];
  const tooLong: readonly [string, number][] = [
    ['x'.repeat(257), 257],
    ['é'.repeat(129), 258],
    ['€'.repeat(86), 258],
    ['😀'.repeat(65), 260],
    ['x'.repeat(1_000_000), 1_000_000],
  ];

  it('accepts names of up to 256 bytes of UTF-8', () => {
    const topics = topicsFor(10);
    for (const name of longest) {
      const fake = new FakeConnection();
      assert.equal(join(topics, fake, name), true);
      assert.equal(topics.audience(name).members.size, 1);
      assert.equal(topics.leave(fake.connection, name), true);
    }
  });

  it('refuses longer names everywhere, with their length', () => {
    const topics = topicsFor(10);
    for (const [name, bytes] of tooLong) {
      const fault = {
        name: 'MooringError',
        code: 'invalid-topic',
        message: `a topic name must be at most 256 bytes long in UTF-8, not ${bytes}`,
      };
      assert.throws(() => topics.audience(name), fault);
      assert.throws(() => topics.join(new FakeConnection().connection, name), fault);
      assert.throws(() => topics.leave(new FakeConnection().connection, name), fault);
    }
  });

  it('accepts names that are named like members of objects', () => {
    const topics = topicsFor(10);
    for (const name of ['__proto__', 'constructor', 'size']) {
      assert.equal(topics.audience(name).members.size, 0);
      crowd(1, topics, name);
      assert.equal(topics.audience(name).members.size, 1);
    }
  });
});

describe('a publication to a member that is congested', () => {
  function publishTo(one: FakeConnection, overflow: Overflow) {
    const topics = topicsFor(10);
    join(topics, one);
    const publication = publicationOf('hi', { overflow, key: 'EUR' });
    topics.audience('lobby').publish(publication);
    const { forwarded, ...counts } = deliveryOf(publication, false);
    assert.equal(forwarded, false);
    return {
      ...counts,
      inTopic: topics.audience('lobby').dropped,
      onConnection: one.dropped,
    };
  }

  function congested(): FakeConnection {
    const one = new FakeConnection();
    one.isCongested = true;
    return one;
  }

  it('is dropped and counted, for the member and for the topic', () => {
    const one = congested();
    const counts = { delivered: 0, kept: 0, dropped: 1, inTopic: 1, onConnection: 1 };
    assert.deepEqual(publishTo(one, 'drop-newest'), counts);
    assert.equal(one.keep.mock.callCount(), 0);
    assert.equal(one.endedAs, undefined);
  });

  it('is kept by its key under the policy latest', () => {
    const one = congested();
    const counts = { delivered: 0, kept: 1, dropped: 0, inTopic: 0, onConnection: 0 };
    assert.deepEqual(publishTo(one, 'latest'), counts);
    assert.equal(one.keep.mock.calls[0]?.arguments[0].key, 'EUR');
  });

  it('counts the message that it replaces', () => {
    const one = congested();
    one.keep.mock.mockImplementation(() => ({ isConflated: true, replaced: true }));
    const counts = { delivered: 0, kept: 1, dropped: 0, inTopic: 1, onConnection: 1 };
    assert.deepEqual(publishTo(one, 'latest'), counts);
  });

  it('is dropped when there is no room to keep it', () => {
    const one = congested();
    one.keep.mock.mockImplementation(() => ({ isConflated: false, replaced: false }));
    const counts = { delivered: 0, kept: 0, dropped: 1, inTopic: 1, onConnection: 1 };
    assert.deepEqual(publishTo(one, 'latest'), counts);
  });

  it('counts the older one, too, when it is dropped and the newer one finds no room', () => {
    const one = congested();
    one.keep.mock.mockImplementation(() => ({ isConflated: false, replaced: true }));
    const counts = { delivered: 0, kept: 0, dropped: 1, inTopic: 2, onConnection: 2 };
    assert.deepEqual(publishTo(one, 'latest'), counts);
  });

  it('is dropped when the member leaves the topic', () => {
    const topics = topicsFor(10);
    const [one] = crowd(1, topics);
    if (one === undefined) throw new Error('nobody there');
    topics.leave(one.connection, 'kitchen');
    assert.equal(one.forget.mock.callCount(), 0);
    topics.leave(one.connection, 'lobby');
    assert.deepEqual(one.forget.mock.calls[0]?.arguments, ['lobby']);
  });

  it('ends the connection of the member under the policy close', () => {
    const one = congested();
    const counts = { delivered: 0, kept: 0, dropped: 1, inTopic: 1, onConnection: 1 };
    assert.deepEqual(publishTo(one, 'close'), counts);
    assert.equal(one.endedAs, 'slow-consumer');
  });

  it('never blames slowness on a member whose socket is gone', () => {
    const one = congested();
    Object.defineProperty(one, 'outbox', { value: null });
    const counts = { delivered: 0, kept: 0, dropped: 1, inTopic: 1, onConnection: 1 };
    for (const overflow of ['latest', 'close'] as const) {
      one.topics = null;
      one.dropped = 0;
      assert.deepEqual(publishTo(one, overflow), counts);
    }
    assert.equal(one.endedAs, undefined);
  });

  it('affects no other member', () => {
    const topics = topicsFor(10);
    const [slow, quick] = crowd(2, topics);
    if (slow) slow.isCongested = true;
    topics.audience('lobby').publish(publicationOf('hi', { overflow: 'close' }));
    assert.deepEqual([slow?.got, quick?.got], [[], ['hi']]);
    assert.equal(quick?.endedAs, undefined);
  });
});

describe('a publication to a member that throws', () => {
  const failing = () => {
    throw new Error('out of order');
  };

  it('reaches the members behind it', () => {
    const topics = topicsFor(10);
    const [first, second, third] = crowd(3, topics);
    if (second) second.onPublish = failing;
    const publication = publicationOf('hi');
    assert.throws(() => topics.fanOut.publish(publication, topics.audience('lobby')), /out of/);
    assert.deepEqual([first?.got, second?.got, third?.got], [['hi'], [], ['hi']]);
    assert.deepEqual(publication.delivered, 2);
  });
});

describe('a publication during which members come and go', () => {
  it('skips a member that has left or closed before its turn', () => {
    const topics = topicsFor(10);
    const [first, second, third] = crowd(3, topics);
    if (first) {
      first.onPublish = () => {
        topics.leave(second?.connection as InboundConnection, 'lobby');
        if (third) third.isOpen = false;
        return 'sent';
      };
    }
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
    assert.deepEqual([second?.got, third?.got], [[], []]);
  });

  it('skips a member that joins meanwhile, and gives it the next publication', () => {
    const topics = topicsFor(10);
    const [first] = crowd(1, topics);
    const late = new FakeConnection();
    if (first) {
      first.onPublish = () => {
        join(topics, late);
        return 'sent';
      };
    }
    assert.deepEqual(publish(topics, 'one'), [1, 0]);
    assert.deepEqual(publish(topics, 'two'), [2, 0]);
    assert.deepEqual(late.got, ['two']);
  });

  it('survives the last member leaving, and another publication from inside it', () => {
    const topics = topicsFor(10);
    const [only] = crowd(1, topics);
    if (only) {
      only.onPublish = () => {
        only.onPublish = () => 'sent';
        topics.leave(only.connection, 'lobby');
        assert.deepEqual(publish(topics, 'nobody receives this'), [0, 0]);
        return 'sent';
      };
    }
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
    assert.equal(topics.audience('lobby').members.size, 0);
  });

  it('never reaches a member twice, nor a connection that is not a member, whatever the callbacks do', () => {
    const deed = fc.record({
      by: fc.nat(5),
      to: fc.nat(5),
      what: fc.constantFrom('join', 'leave', 'rejoin', 'shut'),
    });
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 12 }), (deeds) => {
        const topics = topicsFor(10);
        const connections = crowd(4, topics).concat(new FakeConnection(), new FakeConnection());
        for (const { by, to, what } of deeds) {
          const [actor, target] = [
            connections[by] as FakeConnection,
            connections[to] as FakeConnection,
          ];
          const before = actor.onPublish;
          actor.onPublish = () => {
            doTo(topics, target, what);
            return before();
          };
        }
        const [delivered] = publish(topics, 'hi');
        for (const { got } of connections) assert.ok(got.length <= 1);
        assert.deepEqual([connections[4]?.got, connections[5]?.got], [[], []]);
        assert.equal(delivered, connections.filter(({ got }) => got.length === 1).length);
      }),
      { numRuns: 200 },
    );
  });
});

function doTo(topics: Topics, target: FakeConnection, what: string): void {
  if (what === 'shut') target.isOpen = false;
  if (what === 'leave' || what === 'rejoin') topics.leave(target.connection, 'lobby');
  if (what === 'join' || what === 'rejoin') join(topics, target);
}
