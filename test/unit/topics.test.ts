import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Port } from '../../src/connection/port.ts';
import type { SendResult } from '../../src/core/connection.ts';
import { messageFrame } from '../../src/core/frame.ts';
import { publicationOf, Topics } from '../../src/server/topics.ts';

/** A port that notes the frames it is given. */
class FakePort {
  topics: Set<string> | null = null;
  dropped = 0;
  isOpen = true;
  readonly got: string[] = [];
  /** What writing answers, and what happens meanwhile. */
  onWrite: () => SendResult = () => 'sent';

  write(frame: Buffer): SendResult {
    const result = this.onWrite();
    if (result !== 'refused') this.got.push(frame.subarray(2).toString());
    return result;
  }

  get port(): Port {
    return this as unknown as Port;
  }
}

function crowd(count: number, topics: Topics, name = 'lobby'): FakePort[] {
  const ports = Array.from({ length: count }, () => new FakePort());
  for (const { port } of ports) topics.join(port, name);
  return ports;
}

/** Publishes and returns what became of it. */
function publish(topics: Topics, text: string, accepts: (port: Port) => boolean = () => true) {
  const publication = publicationOf(messageFrame(text), accepts);
  topics.publish('lobby', publication);
  return [publication.delivered, publication.dropped];
}

describe('Topics', () => {
  it('gives a publication to every member, and to no one else', () => {
    const topics = new Topics(10);
    const members = crowd(3, topics);
    const [stranger] = crowd(1, topics, 'kitchen');
    assert.deepEqual(publish(topics, 'hi'), [3, 0]);
    for (const { got } of members) assert.deepEqual(got, ['hi']);
    assert.deepEqual(stranger?.got, []);
  });

  it('counts as dropped who refuses it, and notes it on the port', () => {
    const topics = new Topics(10);
    const [one, two] = crowd(2, topics);
    if (one) one.onWrite = () => 'refused';
    if (two) two.onWrite = () => 'queued';
    assert.deepEqual(publish(topics, 'hi'), [1, 1]);
    assert.deepEqual([one?.dropped, two?.dropped], [1, 0]);
  });

  it('asks whom it is for, and skips who is not open without counting it', () => {
    const topics = new Topics(10);
    const [one, two, three] = crowd(3, topics);
    if (two) two.isOpen = false;
    assert.deepEqual(
      publish(topics, 'hi', (port) => port !== one?.port),
      [1, 0],
    );
    assert.deepEqual([one?.got, two?.got, three?.got], [[], [], ['hi']]);
  });

  it('takes nobody who is not open', () => {
    const topics = new Topics(10);
    const closing = new FakePort();
    closing.isOpen = false;
    assert.equal(topics.join(closing.port, 'lobby'), false);
    assert.equal(topics.size('lobby'), 0);
  });

  it('takes a member once, however often it joins', () => {
    const topics = new Topics(10);
    const one = new FakePort();
    assert.deepEqual(
      [topics.join(one.port, 'lobby'), topics.join(one.port, 'lobby')],
      [true, true],
    );
    assert.equal(topics.size('lobby'), 1);
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
    assert.deepEqual(one.got, ['hi']);
  });

  it('lets a member into as many topics as the limit says, and again into those it is in', () => {
    const topics = new Topics(2);
    const one = new FakePort();
    const joined = ['a', 'b', 'c', 'a'].map((name) => topics.join(one.port, name));
    assert.deepEqual(joined, [true, true, false, true]);
    topics.leave(one.port, 'a');
    assert.equal(topics.join(one.port, 'c'), true);
  });

  it('forgets who leaves, and says whether it was there', () => {
    const topics = new Topics(10);
    const [one] = crowd(2, topics);
    assert.equal(topics.leave(one?.port as Port, 'lobby'), true);
    assert.equal(topics.leave(one?.port as Port, 'lobby'), false);
    assert.equal(topics.leave(new FakePort().port, 'lobby'), false);
    assert.equal(topics.size('lobby'), 1);
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
  });

  it('forgets who leaves everything', () => {
    const topics = new Topics(10);
    const one = new FakePort();
    for (const name of ['a', 'b', 'lobby']) topics.join(one.port, name);
    topics.leaveAll(one.port);
    topics.leaveAll(one.port);
    topics.leaveAll(new FakePort().port);
    assert.deepEqual(
      ['a', 'b', 'lobby'].map((name) => topics.size(name)),
      [0, 0, 0],
    );
    assert.deepEqual(publish(topics, 'hi'), [0, 0]);
  });

  it('refuses a name that is no non-empty string', () => {
    const topics = new Topics(10);
    for (const name of ['', undefined, null, 7, {}, ['lobby']]) {
      assert.throws(() => topics.join(new FakePort().port, name as string), {
        name: 'SupervisorError',
        code: 'invalid-topic',
      });
    }
  });

  it('takes names that are named like members of objects', () => {
    const topics = new Topics(10);
    for (const name of ['__proto__', 'constructor', 'size']) {
      assert.equal(topics.size(name), 0);
      crowd(1, topics, name);
      assert.equal(topics.size(name), 1);
    }
  });
});

describe('a publication during which members come and go', () => {
  it('skips who has left or closed before its turn', () => {
    const topics = new Topics(10);
    const [first, second, third] = crowd(3, topics);
    if (first) {
      first.onWrite = () => {
        topics.leave(second?.port as Port, 'lobby');
        if (third) third.isOpen = false;
        return 'sent';
      };
    }
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
    assert.deepEqual([second?.got, third?.got], [[], []]);
  });

  it('skips who joins meanwhile, and gives it the next one', () => {
    const topics = new Topics(10);
    const [first] = crowd(1, topics);
    const late = new FakePort();
    if (first) {
      first.onWrite = () => {
        topics.join(late.port, 'lobby');
        return 'sent';
      };
    }
    assert.deepEqual(publish(topics, 'one'), [1, 0]);
    assert.deepEqual(publish(topics, 'two'), [2, 0]);
    assert.deepEqual(late.got, ['two']);
  });

  it('survives the last member leaving, and another publication in the middle', () => {
    const topics = new Topics(10);
    const [only] = crowd(1, topics);
    if (only) {
      only.onWrite = () => {
        only.onWrite = () => 'sent';
        topics.leave(only.port, 'lobby');
        assert.deepEqual(publish(topics, 'nobody hears this'), [0, 0]);
        return 'sent';
      };
    }
    assert.deepEqual(publish(topics, 'hi'), [1, 0]);
    assert.equal(topics.size('lobby'), 0);
  });

  it('never gives it twice to anybody, nor to who is no member, whatever they do', () => {
    const deed = fc.record({
      by: fc.nat(5),
      to: fc.nat(5),
      what: fc.constantFrom('join', 'leave', 'rejoin', 'shut'),
    });
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 12 }), (deeds) => {
        const topics = new Topics(10);
        const ports = crowd(4, topics).concat(new FakePort(), new FakePort());
        for (const { by, to, what } of deeds) {
          const [actor, target] = [ports[by] as FakePort, ports[to] as FakePort];
          const before = actor.onWrite;
          actor.onWrite = () => {
            doTo(topics, target, what);
            return before();
          };
        }
        const [delivered] = publish(topics, 'hi');
        for (const { got } of ports) assert.ok(got.length <= 1);
        assert.deepEqual([ports[4]?.got, ports[5]?.got], [[], []]);
        assert.equal(delivered, ports.filter(({ got }) => got.length === 1).length);
      }),
      { numRuns: 200 },
    );
  });
});

function doTo(topics: Topics, target: FakePort, what: string): void {
  if (what === 'shut') target.isOpen = false;
  if (what === 'leave' || what === 'rejoin') topics.leave(target.port, 'lobby');
  if (what === 'join' || what === 'rejoin') topics.join(target.port, 'lobby');
}
