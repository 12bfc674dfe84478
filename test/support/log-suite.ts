import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import type { Entry, Place, Retention } from '../../src/core/bus-log.ts';
import type { Bus, BusLink } from '../../src/index.ts';
import {
  append,
  assertChained,
  assertShown,
  contentOf,
  copyOf,
  following,
  type LogMember,
  logMemberOf,
  patient,
  placeOf,
  readAll,
  readTexts,
  startOf,
  textsOf,
} from './log-member.ts';
import { until } from './until.ts';

/** The processes of one service, and their server. */
export interface LogService {
  /** The bus of one process, or one for all. */
  bus(): Bus;
  /** Takes the server away. It keeps what it has. Without it, the suite tests no outage. */
  lose?(): Promise<void>;
  /** Brings the server back. */
  return?(): Promise<void>;
  /** Notes what is kept. Without it, the suite tests no history that was rewritten. */
  remember?(): Promise<void>;
  /** Brings back what was noted, as from an older disk. The server is up again when it resolves. */
  rollBack?(): Promise<void>;
}

/** Makes the services of the suite. */
export interface LogMaker {
  /** Services with different names share nothing. */
  make(service: string, retention: Partial<Retention>): LogService;
  /** How many appends of one link may wait; left out if none waits. */
  readonly appendsMax?: number;
  /** Whether the server can be taken away. @default false */
  readonly canBeLost?: boolean;
  /** Whether an older past can be brought back. @default false */
  readonly canBeRolledBack?: boolean;
}

/** What every log of durable topics must do. */
export function logSuite(name: string, maker: LogMaker): void {
  describe(name, () => {
    let services = 0;
    const opened: BusLink[] = [];

    function serviceOf(retention: Partial<Retention> = {}): LogService {
      services += 1;
      return maker.make(`log-suite-${services}`, retention);
    }

    async function join(service: LogService): Promise<LogMember> {
      const member = await logMemberOf(service.bus());
      opened.push(member.link);
      return member;
    }

    async function members(count: number, retention: Partial<Retention> = {}) {
      const service = serviceOf(retention);
      const all: LogMember[] = [];
      for (let left = count; left > 0; left -= 1) all.push(await join(service));
      return all as [LogMember, LogMember, LogMember];
    }

    after(async () => {
      await Promise.all(opened.map((link) => link.close()));
    });

    test('all links hear what any of them keeps, in one order', async () => {
      const all = await members(3);
      const heard = await Promise.all(all.map((member) => following(member, 'room')));
      const appends = Array.from({ length: 300 }, (_, index) =>
        append(all[index % 3] as LogMember, 'room', `m${index}`),
      );
      const stored = await Promise.all(appends);
      await until(() => heard.every(({ length }) => length >= stored.length), 'all have all');
      // Two may be heard in the wrong order.
      const [first = [], ...others] = heard.map((entries) => entries.map(copyOf).sort(byOffset));
      for (const entries of others) assert.deepEqual(entries, first);
      const placed = stored.map(({ place }) => place).sort(byOffset);
      assert.deepEqual(first.map(placeOf), placed);
      assertChained(first, 0);
      assert.equal(new Set(textsOf(first)).size, 300);
      assert.ok(stored.every(({ isDuplicate }) => !isDuplicate));
    });

    test('an id is kept once in each topic, and a duplicate gets the place of the first', async () => {
      const [one, other] = await members(2);
      const heard = await following(one, 'room');
      const first = await append(one, 'room', 'same', 'first text');
      const again = await append(one, 'room', 'same', 'second text');
      const elsewhere = await append(other, 'room', 'same', 'third text');
      assert.deepEqual(again, { place: first.place, isDuplicate: true });
      assert.deepEqual(elsewhere, { place: first.place, isDuplicate: true });
      const inOther = await append(one, 'other room', 'same', 'of another topic');
      assert.equal(inOther.isDuplicate, false);
      assert.notEqual(inOther.place.offset, first.place.offset);
      const last = await append(other, 'room', 'last');
      await until(() => heard.some(({ offset }) => offset === last.place.offset), 'the last');
      assert.deepEqual(textsOf(heard), ['first text', 'last']);
      const start = await startOf(other, 'empty so far');
      const twins = await Promise.all(
        [one, other, one].map((member) => append(member, 'empty so far', 'twin')),
      );
      assert.equal(twins.filter(({ isDuplicate }) => !isDuplicate).length, 1);
      assert.equal(new Set(twins.map(({ place }) => place.offset)).size, 1);
      assert.deepEqual(await readTexts(one, 'empty so far', start), ['twin']);
    });

    test('an entry names its predecessor in its own topic', async () => {
      const [one, other] = await members(2);
      const inA = await following(one, 'a');
      const inB = await following(one, 'b');
      for (const id of ['1', '2', '3', '4', '5']) {
        await append(one, 'a', id);
        await append(other, 'b', id);
        await append(one, 'b', `${id} again`);
      }
      await until(() => inA.length === 5 && inB.length === 10, 'both topics have all');
      assertChained(inA, 0);
      assertChained(inB, 0);
    });

    test('the tail is the newest entry, and a number up to which there is no other', async () => {
      const [one, other] = await members(2);
      const empty = await one.log.tail('room');
      assert.equal(empty.newest, null);
      assert.equal(empty.upTo.tag, '');
      const first = await append(other, 'room', 'first');
      assert.ok(first.place.offset > empty.upTo.offset);
      const last = await append(other, 'room', 'last');
      const tail = await one.log.tail('room');
      assert.deepEqual(tail.newest, last.place);
      assert.ok(tail.upTo.offset >= last.place.offset);
      assert.equal(tail.upTo.log, last.place.log);
      await append(other, 'another room', 'x');
      assert.deepEqual((await one.log.tail('room')).newest, last.place);
      assert.deepEqual(await readTexts(one, 'room', tail.upTo), []);
      const next = await append(one, 'room', 'next');
      assert.ok(next.place.offset > tail.upTo.offset);
      assert.deepEqual(await readTexts(one, 'room', tail.upTo), ['next']);
      assert.deepEqual(await readTexts(one, 'room', empty.upTo), ['first', 'last', 'next']);
    });

    test('what was kept after a place is read in pages, oldest first', async () => {
      const [one, other] = await members(2);
      const start = await startOf(one, 'room');
      const places: Place[] = [];
      for (let index = 0; index < 20; index += 1) {
        places.push((await append(one, 'room', `m${index}`)).place);
        await append(one, 'another room', `m${index}`);
      }
      const all = places.map((_, index) => `m${index}`);
      assert.deepEqual(await readTexts(other, 'room', start, 7), all);
      const sixth = places[5] as Place;
      assert.deepEqual(await readTexts(other, 'room', sixth, 3), all.slice(6));
      const untagged = { ...sixth, tag: '' };
      assert.deepEqual(await readTexts(other, 'room', untagged, 1_000), all.slice(6));
      const page = await other.log.read('room', sixth, 4);
      assert.ok(page.isWhole);
      assert.deepEqual(page.entries.map(placeOf), places.slice(6, 10));
      assertChained(page.entries, sixth.offset);
      assert.equal(page.hasMore, true);
      const end = await other.log.read('room', places.at(-1) as Place, 10);
      assert.deepEqual(end, { isWhole: true, entries: [], hasMore: false });
    });

    test('a place whose successors were dropped has expired', async () => {
      const [one, other] = await members(2, { messagesPerTopic: 10 });
      const start = await startOf(one, 'room');
      const neighbour = await append(one, 'another room', 'neighbour');
      const places: Place[] = [];
      for (let index = 0; index < 30; index += 1)
        places.push((await append(one, 'room', `m${index}`)).place);
      for (const place of [start, places[0], places[18]] as Place[]) {
        const page = await other.log.read('room', place, 100);
        assert.deepEqual(page, { isWhole: false, cause: 'expired' });
      }
      const kept = Array.from({ length: 9 }, (_, index) => `m${index + 21}`);
      assert.deepEqual(await readTexts(other, 'room', places[20] as Place), kept);
      assert.deepEqual(await readTexts(other, 'another room', neighbour.place), []);
    });

    test('messages are dropped when they are too old', async () => {
      const [one] = await members(1, { forMs: 1_000 });
      const start = await startOf(one, 'room');
      const { place } = await append(one, 'room', 'first');
      await append(one, 'room', 'second');
      let isEmpty = false;
      while (!isEmpty) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        isEmpty = (await one.log.tail('room')).newest === null;
      }
      for (const after of [start, place]) {
        const page = await one.log.read('room', after, 10);
        assert.deepEqual(page, { isWhole: false, cause: 'expired' });
      }
      const { upTo } = await one.log.tail('room');
      assert.ok(upTo.offset > place.offset);
      const third = await append(one, 'room', 'third');
      assert.ok(third.place.offset > upTo.offset);
      assert.deepEqual(await readTexts(one, 'room', upTo), ['third']);
    });

    test('a place that names no message of this log is void', async () => {
      const [one] = await members(1);
      const { place } = await append(one, 'room', 'first');
      const { place: last } = await append(one, 'room', 'last');
      const void_: Place[] = [
        { ...place, log: place.log === 'other' ? 'another' : 'other' },
        { ...place, tag: 'AAAAAAAA' },
        { ...last, tag: 'AAAAAAAA' },
        { ...last, tag: place.tag },
        { ...last, offset: last.offset + 1_000 },
        { ...last, offset: last.offset + 1_000, tag: '' },
      ];
      for (const after of void_) {
        const page = await one.log.read('room', after, 10);
        assert.deepEqual(page, { isWhole: false, cause: 'reset' }, JSON.stringify(after));
      }
    });

    test('every byte of a payload is kept, heard and read', async () => {
      const [one, other] = await members(2);
      const heard = await following(other, 'room');
      const start = await startOf(other, 'room');
      const every = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
      const sent = [
        { payload: Buffer.alloc(0), isBinary: false },
        { payload: Buffer.alloc(0), isBinary: true },
        { payload: every, isBinary: true },
        { payload: Buffer.from('çà\0 \u{1F600}\r\n'), isBinary: false },
        { payload: Buffer.alloc(one.log.payloadBytesMax, 'x'), isBinary: false },
      ];
      for (const [index, { payload, isBinary }] of sent.entries())
        await one.log.append('room', { id: `m${index}`, payload, isBinary }, patient());
      await until(() => heard.length === sent.length, 'all are there');
      assert.deepEqual(heard.map(contentOf), sent);
      assert.deepEqual((await readAll(other, 'room', start)).map(contentOf), sent);
    });

    test('an entry belongs to its topic only, whatever the name', async () => {
      const [one, other] = await members(2);
      let run = 0;
      await fc.assert(
        fc.asyncProperty(topicNames, async (topics) => {
          run += 1;
          const readers = await Promise.all(topics.map((topic) => readerOf(other, topic)));
          for (const { topic } of readers) await append(one, topic, `${run}`, `for ${topic}`);
          await until(() => readers.every(({ heard }) => heard.length > 0), 'each has its own');
          for (const { topic, heard, start } of readers) {
            assert.deepEqual(textsOf(heard), [`for ${topic}`]);
            assert.deepEqual(await readTexts(one, topic, start), [`for ${topic}`]);
            assert.deepEqual((await one.log.tail(topic)).newest, placeOf(heard[0] as Entry));
            heard.end();
          }
        }),
        { numRuns: 40 },
      );
      assert.deepEqual([...one.errors, ...other.errors], []);
    });

    test('a payload that is too large is refused, and nothing is kept', async () => {
      const [one] = await members(1);
      const payload = Buffer.alloc(one.log.payloadBytesMax + 1);
      const entry = { id: 'large', payload, isBinary: true };
      await assert.rejects(one.log.append('room', entry, patient()), {
        code: 'message-too-large',
        message: new RegExp(`${payload.length}.*${one.log.payloadBytesMax}`),
      });
      assert.equal((await one.log.tail('room')).newest, null);
      assert.equal((await append(one, 'room', 'large')).isDuplicate, false);
    });

    test('more appends than there is room for are refused at once, and the others are kept', async () => {
      const { appendsMax = 10_000 } = maker;
      const [one] = await members(1, { messagesPerTopic: 2 * appendsMax });
      const start = await startOf(one, 'room');
      const ids = Array.from({ length: 2 * appendsMax }, (_, index) => `m${index}`);
      let isAnswered = false;
      let refusedFirst = 0;
      const attempts = ids.map((id) =>
        append(one, 'room', id).then(
          () => {
            isAnswered = true;
            return id;
          },
          () => {
            if (!isAnswered) refusedFirst += 1;
            return null;
          },
        ),
      );
      const outcomes = await Promise.all(attempts);
      const kept = outcomes.filter((id) => id !== null);
      assert.ok(kept.length >= appendsMax, `${kept.length} were kept`);
      if (maker.appendsMax !== undefined) {
        assert.ok(kept.length < ids.length, 'some were refused');
        assert.equal(refusedFirst, ids.length - kept.length, 'nobody waited for a refusal');
      }
      assert.deepEqual((await readTexts(one, 'room', start)).sort(), kept.sort());
    });

    test('an append whose signal has aborted rejects with the reason', async () => {
      const [one] = await members(1);
      const reason = new Error('given up');
      const entry = { id: 'a', payload: Buffer.from('a'), isBinary: false };
      const appended = one.log.append('room', entry, AbortSignal.abort(reason));
      await assert.rejects(appended, reason);
      assert.equal((await one.log.tail('room')).newest, null);
    });

    test('an interest that has ended hears nothing, and others go on', async () => {
      const [one, other] = await members(2);
      const first = await following(other, 'room');
      const second = await following(one, 'room');
      await append(one, 'room', 'both');
      await until(() => first.length === 1 && second.length === 1, 'both hear');
      first.end();
      first.end();
      await append(one, 'room', 'second only');
      await until(() => second.length === 2, 'the second hears');
      const third = await following(other, 'room');
      // The first one must not end the third.
      first.end();
      await append(other, 'room', 'again');
      await until(() => third.length === 1 && second.length === 3, 'the third hears');
      assert.deepEqual(textsOf(first), ['both']);
      assert.deepEqual(textsOf(third), ['again']);
    });

    test('a follower that throws is reported, and the log goes on', async () => {
      const [one] = await members(1);
      const failing = one.log.follow('failing', () => {
        throw new Error('planted');
      });
      await failing.ready;
      const heard = await following(one, 'sound');
      await append(one, 'failing', 'x');
      await append(one, 'sound', 'y');
      await until(() => heard.length === 1 && one.errors.length > 0, 'the other topic hears');
      assert.deepEqual(
        one.errors.map(({ message }) => message),
        ['planted'],
      );
    });

    test('a log ends with its link, and what it has kept stays', async () => {
      const [one, other] = await members(2);
      const start = await startOf(other, 'room');
      const heard = await following(one, 'room');
      await append(one, 'room', 'stays');
      await until(() => heard.length === 1, 'it is heard');
      await one.link.close();
      await append(other, 'room', 'later');
      assert.deepEqual(await readTexts(other, 'room', start), ['stays', 'later']);
      assert.deepEqual(textsOf(heard), ['stays']);
      await assert.rejects(append(one, 'room', 'too late'));
      await assert.rejects(one.log.tail('room'));
      await assert.rejects(one.log.read('room', start, 10));
      assert.deepEqual(await readTexts(other, 'room', start), ['stays', 'later']);
    });

    test('services with different names share nothing', async () => {
      const [one] = await members(1);
      const [foreign] = await members(1);
      const heard = await following(one, 'room');
      const { place } = await append(foreign, 'room', 'foreign');
      assert.equal((await one.log.tail('room')).newest, null);
      const page = await one.log.read('room', place, 10);
      assert.deepEqual(page, { isWhole: false, cause: 'reset' });
      assert.equal((await append(one, 'room', 'foreign', 'own')).isDuplicate, false);
      await until(() => heard.length === 1, 'its own message is there');
      assert.deepEqual(textsOf(heard), ['own']);
    });

    if (maker.canBeLost)
      test('an append waits for a server that is away, and is kept once', async () => {
        const service = serviceOf();
        const [one, other] = [await join(service), await join(service)];
        const heard = await following(other, 'room');
        const { place } = await append(one, 'room', 'before');
        await until(() => heard.length === 1, 'the first is heard');
        await service.lose?.();
        await until(() => one.moves.at(-1) === 'down', 'the link is down');
        let settled = 0;
        const waiting = ['a', 'b', 'c'].map((id) =>
          append(one, 'room', id).finally(() => {
            settled += 1;
          }),
        );
        const impatient = new AbortController();
        const entry = { id: 'impatient', payload: Buffer.from('impatient'), isBinary: false };
        const given = one.log.append('room', entry, impatient.signal);
        const reason = new Error('given up');
        setTimeout(() => impatient.abort(reason), 50);
        await assert.rejects(given, reason);
        await assert.rejects(one.log.tail('room'));
        await assert.rejects(one.log.read('room', place, 10));
        assert.equal(settled, 0);
        await service.return?.();
        const stored = await Promise.all(waiting);
        assert.ok(stored.every(({ isDuplicate }) => !isDuplicate));
        await until(() => other.moves.at(-1) === 'up', 'the other link is up');
        const last = await append(other, 'room', 'last');
        await until(() => heard.some(({ offset }) => offset === last.place.offset), 'the last');
        const kept = await readTexts(other, 'room', place);
        const expected = ['a', 'b', 'c', 'last'];
        assert.deepEqual(
          kept.filter((text) => text !== 'impatient').sort(),
          expected,
          'each is kept once',
        );
        assertShown(heard, await readAll(other, 'room', place));
        assert.deepEqual([one.rewrites, other.rewrites], [0, 0]);
      });

    if (maker.canBeRolledBack)
      test('a log with an older past tells so, and all places from before are void', async () => {
        const service = serviceOf();
        const [one, other] = [await join(service), await join(service)];
        const heard = await following(other, 'room');
        const places: Place[] = [];
        for (const id of ['a', 'b', 'c']) places.push((await append(one, 'room', id)).place);
        await service.remember?.();
        // It may have been away for this.
        await until(() => [one, other].every(({ moves }) => moves.at(-1) === 'up'), 'both are up');
        await Promise.all([startOf(one, 'room'), startOf(other, 'room')]);
        for (const id of ['d', 'e', 'f']) places.push((await append(one, 'room', id)).place);
        await until(() => heard.length === 6, 'all are heard');
        await service.rollBack?.();
        await until(() => one.rewrites > 0 && other.rewrites > 0, 'both are told');
        for (const place of places) {
          const void_ = { isWhole: false, cause: 'reset' };
          assert.deepEqual(await one.log.read('room', place, 100), void_);
          assert.deepEqual(await other.log.read('room', place, 100), void_);
        }
        const { upTo } = await one.log.tail('room');
        assert.notEqual(upTo.log, places[0]?.log);
        const next = await append(one, 'room', 'next');
        assert.equal(next.place.log, upTo.log);
        await until(() => heard.some(({ log }) => log === upTo.log), 'the next is heard');
        assert.deepEqual(await readTexts(other, 'room', upTo), ['next']);
      });
  });
}

/** Hears a topic from now on, and knows where that was. */
async function readerOf(member: LogMember, topic: string) {
  const heard = await following(member, topic);
  return { topic, heard, start: await startOf(member, topic) };
}

function byOffset(one: Place, other: Place): number {
  return one.offset - other.offset;
}

/** Names that mean something to a server, and any other text of up to 256 bytes. */
const topicNames = fc.uniqueArray(
  fc.oneof(
    fc.constantFrom('a', 'a.b', 'a.*', '*', '>', 'a.>', '.', '..', ' ', 'a b', '$JS', '$JS.API.>'),
    fc.constantFrom('x'.repeat(256), 'é'.repeat(128), '.'.repeat(256), '%2E', '/', '\r\n', '\0'),
    fc
      .string({ unit: 'binary', minLength: 1, maxLength: 60 })
      .filter((topic) => topic.isWellFormed() && Buffer.byteLength(topic) <= 256),
    fc.string({
      unit: fc.constantFrom('.', '*', '>', ' ', '%', '\r', '\n', '\0', '/', 'a', 'A'),
      minLength: 1,
    }),
  ),
  { minLength: 2, maxLength: 6 },
);
