// Goal: clients that come back cost a bounded amount at a time, whatever they are and say. Method: the parts of durable topics that
// hold the bounds, with followers and connections that only record.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryLog } from '../../src/bus/memory-log.ts';
import { ChartSystem } from '../../src/chart/chart-system.ts';
import type { Entry, Page, Place } from '../../src/core/bus-log.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import type { DurableTopic } from '../../src/server/durable/durable-topic.ts';
import { DurableTopics } from '../../src/server/durable/durable-topics.ts';
import { EntryFrames } from '../../src/server/durable/entry-frames.ts';
import { type FollowedTopic, Follower } from '../../src/server/durable/follower.ts';
import { Positions } from '../../src/server/durable/positions.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const start: Place = { log: 'a', offset: 0, tag: '' };

function entry(offset: number, bytes = 0): Entry {
  const payload = Buffer.alloc(bytes, 'x');
  return { log: 'a', offset, tag: `tag-${offset}`, prev: offset - 1, payload, isBinary: false };
}

function entries(first: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => entry(first + index));
}

function makeTopics() {
  const clock = new VirtualClock();
  const topics = new DurableTopics(
    {
      isDurable: () => true,
      appendMs: 1_000,
      clock,
      random: () => 0.5,
      wheel: new TimerWheel(clock, 50),
      charts: new ChartSystem({ actorHost: null, areEager: false }, clock),
      contract: { decoded: () => null },
      reporter: { errored() {} } as never,
    },
    () => memoryLog(clock),
  );
  return { clock, topics };
}

describe('a turn of followers', () => {
  /** A clock whose turns a test ends one by one. */
  function byTurns() {
    const { clock, topics } = makeTopics();
    const due: (() => void)[] = [];
    clock.afterPoll = (callback) => void due.push(callback);
    return { topics, turn: () => due.shift()?.() };
  }

  it('sends about 1,000 messages, and the others wait for the next', () => {
    const { topics, turn } = byTurns();
    const limits: number[] = [];
    const pump = (limit: number) => {
      limits.push(limit);
      return Math.min(limit, 400);
    };
    for (let left = 5; left > 0; left -= 1) topics.ready({ pump } as never);
    turn();
    assert.deepEqual(limits, [1_000, 600, 200]);
    turn();
    assert.deepEqual(limits.slice(3), [1_000, 600]);
    turn();
    assert.equal(limits.length, 5);
  });

  it('asks at most 1,000 followers, although they have nothing to send', () => {
    const { topics, turn } = byTurns();
    let asked = 0;
    const pump = () => {
      asked += 1;
      return 0;
    };
    for (let left = 2_500; left > 0; left -= 1) topics.ready({ pump } as never);
    const perTurn = [1, 2, 3].map(() => {
      const before = asked;
      turn();
      return asked - before;
    });
    assert.deepEqual(perTurn, [1_000, 1_000, 500]);
  });
});

describe('followers that must read', () => {
  it('are at most 32 at a time, and one for each connection', async () => {
    const { topics } = makeTopics();
    const reading: { connection: unknown; settle: () => void }[] = [];
    const follower = (connection: object) => ({
      connection,
      read: () => new Promise<void>((settle) => reading.push({ connection, settle })),
    });
    const [twice, ...others] = Array.from({ length: 40 }, () => ({}));
    for (const connection of [twice, twice, ...others])
      topics.unread(follower(connection as object) as never);
    const finish = async () => {
      reading.shift()?.settle();
      for (let turns = 5; turns > 0; turns -= 1) await null;
    };
    assert.equal(reading.length, 32);
    assert.equal(new Set(reading.map(({ connection }) => connection)).size, 32);
    await finish();
    // The first connection goes on with its second follower, before those that came later.
    assert.equal(reading.length, 32);
    assert.equal(reading.at(-1)?.connection, twice);
    for (let left = 40; left > 0; left -= 1) await finish();
    assert.equal(reading.length, 0);
  });
});

describe('a follower', () => {
  /** A follower of a topic with 1,000 messages, whose connection takes `room` messages between two reads. */
  function makeFollower(room: number, held: FollowedTopic['held'] = () => null) {
    const reads: number[] = [];
    let left = 0;
    const outbox = {
      hasSpace: () => true,
      publish: () => {
        left -= 1;
        return left < 0 ? 'refused' : 'queued';
      },
    };
    const side = { isMooring: false, isCongested: false, positions: null, outbox };
    const pageAfter = ({ offset }: Place, limit: number): Page => ({
      isWhole: true,
      entries: entries(offset + 1, limit),
      hasMore: true,
    });
    const topic = {
      name: 'room',
      frames: new EntryFrames(),
      held,
      read: async (place: Place, limit: number) => {
        reads.push(limit);
        return pageAfter(place, limit);
      },
      ready() {},
      unread() {},
      stalled() {},
      reached() {},
      lost() {},
    };
    const connection = { isOpen: true, side } as unknown as InboundConnection;
    const follower = new Follower(connection, topic, start, null);
    const round = async () => {
      left = room;
      follower.pump(1_000);
      await follower.read();
      return follower.pump(1_000);
    };
    return { follower, reads, round };
  }

  it('reads more and more, but not more than 64 messages at a time', async () => {
    const { reads, round } = makeFollower(Number.POSITIVE_INFINITY);
    for (let left = 6; left > 0; left -= 1) await round();
    assert.deepEqual(reads, [8, 16, 32, 64, 64, 64]);
  });

  it('reads twice of what its connection has taken, and goes on after that', async () => {
    const { follower, reads, round } = makeFollower(3);
    assert.equal(await round(), 3);
    assert.equal(follower.place?.offset, 3);
    assert.equal(await round(), 3);
    assert.deepEqual(reads, [8, 6]);
    const { reads: ofNone, round: takesNone } = makeFollower(0);
    for (let left = 3; left > 0; left -= 1) assert.equal(await takesNone(), 0);
    assert.deepEqual(ofNone, [8, 1, 1]);
  });

  it('takes at most 64 messages at a time from the memory of the process, or what the turn has left', () => {
    const asked: number[] = [];
    const { follower } = makeFollower(Number.POSITIVE_INFINITY, (_place, limit) => {
      asked.push(limit);
      return null;
    });
    follower.pump(1_000);
    follower.pump(10);
    assert.deepEqual(asked, [64, 10]);
  });
});

describe('followers to whom the bus has not answered', () => {
  function makeStalled() {
    const { clock, topics } = makeTopics();
    let pumps = 0;
    const pump = () => {
      pumps += 1;
      return 0;
    };
    topics.stalled({ pump } as never);
    return { clock, topics, pumps: () => pumps };
  }

  it('ask again after a second, or as soon as the bus is up', () => {
    const later = makeStalled();
    later.clock.advance(900);
    assert.equal(later.pumps(), 0);
    later.clock.advance(200);
    assert.equal(later.pumps(), 1);
    later.clock.advance(10_000);
    assert.equal(later.pumps(), 1);
    const soon = makeStalled();
    soon.topics.busMoved('down');
    soon.clock.advance(0);
    assert.equal(soon.pumps(), 0);
    soon.topics.busMoved('up');
    soon.clock.advance(0);
    assert.equal(soon.pumps(), 1);
  });
});

describe('a topic whose log has crashed', () => {
  it('begins anew after a second', () => {
    const { clock, topics } = makeTopics();
    let restarts = 0;
    const restart = () => {
      restarts += 1;
    };
    topics.crashed({ restart } as never, new Error('planted'));
    assert.equal(restarts, 0);
    clock.advance(10_000);
    assert.equal(restarts, 1);
  });
});

/** A topic with members. */
interface Needed {
  readonly durable: DurableTopic | null;
}

describe('a topic that is needed again', () => {
  it('is none of those that may be forgotten', async () => {
    const { topics } = makeTopics();
    const settle = async () => {
      for (let turns = 20; turns > 0; turns -= 1) await null;
    };
    const make = (name: string) => ({ name, members: new Set(), durable: null, isNeeded: true });
    const again = make('again');
    topics.needed(again as never);
    await settle();
    topics.unneeded(again as never);
    topics.needed(again as never);
    const { durable } = again as unknown as Needed;
    const others = Array.from({ length: 1_100 }, (_, number) => make(`other ${number}`));
    for (const other of others) topics.needed(other as never);
    await settle();
    const logs = others.map((other) => (other as unknown as Needed).durable?.log);
    assert.ok(logs.every((log) => log?.top));
    for (const other of others) topics.unneeded(other as never);
    assert.equal(logs.filter((log) => log?.top).length, 1_000, 'the others are forgotten');
    assert.notEqual(durable?.log.top, null);
  });
});

describe('a member that has left while its outbox was full', () => {
  it('is told so as soon as there is room, once', () => {
    const { topics } = makeTopics();
    const untoldOffs = new Set(['a', 'b']);
    let room = 0;
    let told = 0;
    const publish = () => {
      if (room === 0) return 'refused';
      room -= 1;
      told += 1;
      return 'queued';
    };
    const connection = { side: { untoldOffs, topics: null, outbox: { publish } } };
    for (const [given, left] of [
      [0, 2],
      [1, 1],
      [0, 1],
      [5, 0],
    ] as const) {
      room = given;
      topics.flows(connection as never);
      assert.equal(untoldOffs.size, left);
    }
    assert.equal(told, 2);
  });
});

describe('the frames of kept messages', () => {
  it('are remembered for 256 messages', () => {
    const frames = new EntryFrames();
    const all = entries(1, 257);
    const made = all.map((one) => frames.of('room', one));
    assert.notEqual(frames.of('room', all[0] as Entry), made[0]);
    assert.equal(frames.of('room', all[256] as Entry), made[256]);
    assert.equal(frames.of('room', all[2] as Entry), made[2]);
  });

  it('are remembered for 4 MiB', () => {
    const frames = new EntryFrames();
    // Each has two frames: with a heading and without.
    const all = [1, 2, 3, 4, 5].map((offset) => entry(offset, 500_000));
    const made = all.map((one) => frames.of('room', one));
    assert.equal(frames.of('room', all[1] as Entry), made[1]);
    assert.notEqual(frames.of('room', all[0] as Entry), made[0]);
    const large = entry(6, 3_000_000);
    assert.notEqual(frames.of('room', large), frames.of('room', large));
  });
});

describe('the positions of a peer', () => {
  it('are at most 10,000, for topics with names that may exist', () => {
    const positions = new Positions();
    const name = 'x'.repeat(257);
    positions.add({ [name]: 'a.1.', [name.slice(1)]: 'a.2.' });
    for (const part of ['a', 'b', 'c'])
      positions.add(
        Object.fromEntries(Array.from({ length: 4_000 }, (_, at) => [`${part}${at}`, 'a.3.'])),
      );
    assert.equal(positions.size, 10_000);
    assert.equal(positions.take(name), null);
    assert.equal(positions.take(name.slice(1))?.offset, 2);
    assert.equal(positions.take('b3999')?.offset, 3);
    assert.equal(positions.take('c1998')?.offset, 3);
    assert.equal(positions.take('c1999'), null);
  });

  it('are used once, and taken only until the first answer to a beat', () => {
    const positions = new Positions();
    positions.add({ a: 'a.1.' });
    assert.equal(positions.take('a')?.offset, 1);
    assert.equal(positions.take('a'), null);
    positions.settle();
    positions.add({ b: 'a.1.' });
    assert.equal(positions.take('b'), null);
  });

  it('that are none are those of another log', () => {
    const positions = new Positions();
    const wrong = { a: 7, b: null, c: 'x', d: 'x'.repeat(41), e: ['a.1.'], f: { g: 'a.1.' } };
    positions.add(wrong);
    for (const topic of Object.keys(wrong)) assert.equal(positions.take(topic)?.log, '0', topic);
    for (const given of [null, 7, 'x', ['a.1.'], undefined]) positions.add(given);
    assert.equal(positions.size, 0);
  });
});
