// Goal: a member of a durable topic is level only if it has everything, and is told the truth about where it was, whatever happens
// while it catches up. Method: one topic and its followers, with a log that says nothing by itself and connections that only record.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RingBudget } from '../../src/bus/ring.ts';
import { ChartSystem } from '../../src/chart/chart-system.ts';
import type { BusLog, Entry, Page, Place } from '../../src/core/bus-log.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { DurableTopic, type DurableTopicHost } from '../../src/server/durable/durable-topic.ts';
import { EntryFrames } from '../../src/server/durable/entry-frames.ts';
import type { Follower } from '../../src/server/durable/follower.ts';
import { Positions } from '../../src/server/durable/positions.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import type { TopicAudience } from '../../src/server/topics.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const place = (offset: number, log = 'a'): Place => ({ log, offset, tag: '' });

const entry = (offset: number): Entry => ({
  ...{ log: 'a', offset, tag: `tag-${offset}`, prev: offset - 1 },
  ...{ payload: Buffer.from(`m${offset}`), isBinary: false },
});

const nothing: Page = { isWhole: true, entries: [], hasMore: false };

/** A connection, and the texts that it was sent. */
function makeConnection(positions: Positions | null = null) {
  const texts: string[] = [];
  const connection = {
    isOpen: true,
    side: {
      ...{ isMooring: true, isCongested: false, positions },
      outbox: {
        hasSpace: () => true,
        publish: (frame: Uint8Array) => {
          texts.push(
            Buffer.from(frame)
              .toString('latin1')
              .replace(/^[^\w"]*/, ''),
          );
          return 'queued';
        },
      },
    },
  };
  return { connection: connection as unknown as InboundConnection, side: connection.side, texts };
}

/** What connections were told about where they are. */
const toldIn = (texts: readonly string[]) =>
  texts.flatMap((text) => /"(?:on|still|off)",.*/.exec(text)?.[0] ?? []);

class Scene {
  readonly clock = new VirtualClock();
  readonly members = new Set<InboundConnection>();
  readonly ready = new Set<Follower>();
  readonly stalled = new Set<Follower>();
  readonly topic: DurableTopic;
  /** What a follower reads. */
  pages: (Page | Promise<Page>)[] = [];
  reads = 0;

  constructor() {
    const never = new Promise<never>(() => {});
    const log: BusLog = {
      retention: { forMs: 1_000, messagesPerTopic: 10 },
      payloadBytesMax: 1_000,
      append: () => never,
      follow: () => ({ ready: never, end() {} }),
      tail: () => never,
      read: async () => {
        this.reads += 1;
        return this.pages.shift() ?? nothing;
      },
    };
    const { clock, members } = this;
    const charts = new ChartSystem({ actorHost: null, areEager: false }, clock);
    const wheel = new TimerWheel(clock, 50);
    const logParts = { log, clock, wheel, charts, budget: new RingBudget(), random: () => 0.5 };
    const host: Partial<DurableTopicHost> = {
      ...{ logParts, frames: new EntryFrames(), unread() {}, wasReset() {}, end() {} },
      ready: (follower) => void this.ready.add(follower),
      stalled: (follower) => void this.stalled.add(follower),
    };
    const audience = { name: 'room', members, isNeeded: true, isObserved: false, deliver() {} };
    this.topic = new DurableTopic(audience as unknown as TopicAudience, host as DurableTopicHost);
  }

  /** A member that has just joined, and its follower. */
  join(made = makeConnection()) {
    this.members.add(made.connection);
    this.topic.joined(made.connection);
    return { ...made, follower: this.topic.followerOf(made.connection) as Follower };
  }

  leave({ connection }: { readonly connection: InboundConnection }): void {
    this.members.delete(connection);
    this.topic.left(connection);
  }

  isLevel({ connection }: { readonly connection: InboundConnection }): boolean {
    return this.members.has(connection) && this.topic.followerOf(connection) === undefined;
  }

  /** Lets a follower read, and send what it has read. */
  async round({ follower }: { readonly follower: Follower }): Promise<void> {
    follower.pump(100);
    await follower.read();
    follower.pump(100);
  }
}

describe('a member that has joined', () => {
  it('is level when it has everything, and not before', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    scene.topic.arrived(entry(6));
    await scene.round(member);
    assert.equal(scene.isLevel(member), false, 'one message is missing');
    scene.pages = [{ isWhole: true, entries: [entry(6)], hasMore: false }];
    await scene.round(member);
    assert.equal(scene.isLevel(member), true);
    assert.deepEqual(toldIn(member.texts), ['"on","room","a.5.",false,"first"]']);
  });

  it('is level where the topic has rested, beyond its last message', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    scene.topic.idle(place(9));
    const positions = new Positions();
    positions.add({ room: 'a.9.' });
    positions.settle();
    const member = scene.join(makeConnection(positions));
    await scene.round(member);
    assert.equal(scene.isLevel(member), true);
    assert.deepEqual(toldIn(member.texts), ['"on","room","a.9.",true,"resumed"]']);
  });

  it('is not level at a number of another log', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    scene.topic.interrupted('reset');
    member.follower.pump(100);
    await member.follower.read();
    // Its place is of the past, and the topic begins anew with the same number.
    const { follower } = member;
    scene.topic.following(place(5, 'b'));
    assert.equal(follower.place?.log, 'b', 'it is moved, because it has not resumed');
    const positions = new Positions();
    positions.add({ room: 'a.5.' });
    positions.settle();
    const late = scene.join(makeConnection(positions));
    await scene.round(late);
    assert.equal(scene.isLevel(late), false);
    assert.ok(scene.stalled.has(late.follower), 'the bus must judge it');
  });

  it('that was replaced does not make its successor level, and is told nothing', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const made = makeConnection();
    const before = scene.join(made);
    await before.follower.read();
    scene.leave(made);
    const member = scene.join(made);
    scene.topic.reached(before.follower);
    scene.topic.lost(before.follower, 'expired');
    assert.equal(scene.topic.followerOf(made.connection), member.follower);
    assert.equal(scene.ready.has(before.follower), true, 'only since it was made');
    scene.ready.clear();
    scene.topic.lost(before.follower, 'expired');
    assert.deepEqual([...scene.ready], []);
  });

  it('forgets its position when it leaves before that was judged', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const positions = new Positions();
    positions.add({ room: 'a.3.' });
    positions.settle();
    const made = makeConnection(positions);
    scene.join(made);
    scene.topic.leaves(made.connection);
    scene.leave(made);
    const again = scene.join(made);
    await scene.round(again);
    assert.deepEqual(toldIn(made.texts), ['"off","room"]', '"on","room","a.5.",false,"first"]']);
  });
});

describe('an interrupted topic', () => {
  it('tells its members about a reset rather than an expiry, whichever came first', async () => {
    for (const causes of [
      ['reset', 'expired'],
      ['expired', 'reset'],
    ] as const) {
      const scene = new Scene();
      scene.topic.following(place(5));
      const member = scene.join();
      await scene.round(member);
      assert.equal(scene.isLevel(member), true);
      for (const cause of causes) scene.topic.interrupted(cause);
      scene.topic.following(place(2, 'b'));
      await scene.round({ follower: scene.topic.followerOf(member.connection) as Follower });
      assert.deepEqual(toldIn(member.texts).slice(1), ['"on","room","b.2.",false,"reset"]']);
    }
  });

  it('lets the bus judge a member that was away by its own position', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const positions = new Positions();
    positions.add({ room: 'a.3.' });
    positions.settle();
    const member = scene.join(makeConnection(positions));
    member.follower.pump(100);
    assert.equal(member.follower.isResuming, true);
    scene.topic.interrupted('expired');
    scene.topic.following(place(9));
    assert.deepEqual(member.follower.place, place(3));
    scene.pages = [{ isWhole: true, entries: [entry(4)], hasMore: true }];
    await scene.round(member);
    assert.deepEqual(toldIn(member.texts), ['"on","room","a.3.",true,"resumed"]']);
  });

  it('tells a new member only once that it is new', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    scene.topic.interrupted('reset');
    scene.topic.following(place(1, 'b'));
    await scene.round(member);
    assert.deepEqual(toldIn(member.texts), ['"on","room","b.1.",false,"first"]']);
  });
});

describe('a topic that rests', () => {
  it('tells level members a fresh place five times in the time that messages are kept', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const [level, behind] = [scene.join(), scene.join()];
    await scene.round(level);
    for (let offset = 6; offset < 26; offset += 1) {
      scene.clock.advance(100);
      scene.topic.idle(place(offset));
    }
    assert.deepEqual(
      toldIn(level.texts).slice(1),
      [7, 9, 11, 13, 15, 17, 19, 21, 23, 25].map(
        (offset) => `"still","room","a.${offset.toString(36)}."]`,
      ),
    );
    assert.deepEqual(toldIn(behind.texts), []);
  });
});

describe('a follower', () => {
  it('asks for nothing while it reads, is congested or has ended', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    const reading = member.follower.read();
    await member.follower.read();
    assert.equal(scene.reads, 1);
    assert.equal(member.follower.isWaiting, false);
    await reading;
    member.side.isCongested = true;
    assert.equal(member.follower.pump(100), 0);
    await member.follower.read();
    assert.deepEqual([scene.reads, member.texts], [1, []]);
  });

  it('drops what it has read for another place', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    scene.pages = [{ isWhole: true, entries: [entry(6)], hasMore: false }];
    const reading = member.follower.read();
    member.follower.moveTo(place(8), 'expired');
    await reading;
    member.follower.pump(100);
    assert.deepEqual(toldIn(member.texts), ['"on","room","a.8.",false,"first"]']);
    assert.ok(!member.texts.some((text) => text.includes('m6')));
  });

  it('does nothing after a read if its connection has ended meanwhile', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    scene.ready.clear();
    const reading = member.follower.read();
    Object.assign(member.connection, { isOpen: false });
    await reading;
    assert.deepEqual([...scene.ready, ...scene.stalled], []);
  });

  it('sends no more when its member leaves in the middle of a page', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const made = makeConnection();
    const { publish } = made.side.outbox;
    made.side.outbox.publish = (frame) => {
      const result = publish(frame);
      if (made.texts.length === 2) scene.leave(made);
      return result;
    };
    const member = scene.join(made);
    scene.pages = [{ isWhole: true, entries: [6, 7, 8].map(entry), hasMore: false }];
    await scene.round(member);
    assert.equal(made.texts.length, 2, 'where it is, and one message');
  });

  it('drops what it has read if that cannot be sent, and sends no more than there is space for', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    const page: Page = { isWhole: true, entries: [6, 7, 8].map(entry), hasMore: false };
    scene.pages = [page, page];
    await member.follower.read();
    member.side.outbox.hasSpace = () => false;
    assert.equal(member.follower.pump(100), 0);
    member.side.outbox.hasSpace = () => member.texts.length < 3;
    member.follower.pump(100);
    assert.equal(member.texts.length, 1, 'where it is');
    await scene.round(member);
    assert.equal(member.texts.length, 3, 'where it is, and two messages');
    assert.deepEqual(member.follower.place, { ...place(7), tag: 'tag-7' });
  });

  it('is level if nothing is kept between its place and one without a message', async () => {
    const scene = new Scene();
    const positions = new Positions();
    positions.add({ room: 'a.3.' });
    positions.settle();
    const member = scene.join(makeConnection(positions));
    await scene.round(member);
    await scene.round(member);
    scene.topic.following(place(9));
    await scene.round(member);
    assert.equal(scene.isLevel(member), false, 'it was read once since the topic is followed');
    await scene.round(member);
    assert.equal(scene.isLevel(member), true);
    assert.deepEqual(toldIn(member.texts), [
      '"on","room","a.3.",true,"resumed"]',
      '"still","room","a.9."]',
    ]);
  });

  it('has waited in vain after two pages without a message, and waits for the next second', async () => {
    const scene = new Scene();
    scene.topic.following(place(5));
    const member = scene.join();
    // The topic is ahead, and the bus does not know that yet.
    scene.topic.arrived(entry(6));
    await scene.round(member);
    assert.deepEqual([member.follower.isInVain, scene.stalled.size], [false, 0]);
    await scene.round(member);
    assert.deepEqual([member.follower.isInVain, scene.stalled.size], [true, 1]);
  });
});
