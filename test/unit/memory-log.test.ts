import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { memoryLog } from '../../src/bus/memory-log.ts';
import { MemoryStore, type StoreLimits } from '../../src/bus/memory-store.ts';
import { formatPlace, parsePlace, tagOf } from '../../src/bus/place.ts';
import type { Entry, Place, Retention } from '../../src/core/bus-log.ts';
import { memoryBus } from '../../src/index.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { logSuite } from '../support/log-suite.ts';

logSuite('memory log', {
  make: (_service, retention: Partial<Retention>) => {
    const bus = memoryBus({ retention });
    return { bus: () => bus };
  },
});

const usual: StoreLimits = {
  retention: { forMs: 600_000, messagesPerTopic: 1_000 },
  bytesMax: 67_108_864,
};

function storeOf(limits: Partial<StoreLimits> = {}) {
  const clock = new VirtualClock();
  return { clock, store: new MemoryStore(clock, { ...usual, ...limits }) };
}

function keep(store: MemoryStore, topic: string, id: string, bytes = 0): Place {
  return store.append(topic, { id, payload: Buffer.alloc(bytes), isBinary: false }).place;
}

describe('the memory of durable topics', () => {
  it('forgets an id after two minutes, and not before', () => {
    const { clock, store } = storeOf({ retention: { forMs: 1_000, messagesPerTopic: 10 } });
    const payload = Buffer.alloc(0);
    const entry = { id: 'a', payload, isBinary: false };
    const { place } = store.append('room', entry);
    clock.advance(120_000);
    for (let other = 0; other < 100; other += 1) keep(store, 'room', `m${other}`);
    assert.deepEqual(store.append('room', entry), { place, isDuplicate: true });
    clock.advance(1);
    assert.equal(store.append('room', entry).isDuplicate, false);
  });

  it('drops the oldest messages of all topics when there are too many bytes', () => {
    const { store } = storeOf({ bytesMax: 10 * 1_512 });
    const first = keep(store, 'quiet', 'first', 1_000);
    const start = store.tail('busy').upTo;
    for (let index = 0; index < 9; index += 1) keep(store, 'busy', `m${index}`, 1_000);
    assert.equal(store.tail('quiet').newest?.offset, first.offset);
    keep(store, 'busy', 'one too many', 1_000);
    assert.equal(store.tail('quiet').newest, null);
    assert.equal(store.topicsKept, 1);
    const page = store.read('busy', start, 100);
    assert.equal(page.isWhole && page.entries.length, 10);
    keep(store, 'busy', 'the next', 1_000);
    assert.deepEqual(store.read('busy', start, 100), { isWhole: false, cause: 'expired' });
  });

  it('keeps the newest message even if it is larger than all may be', () => {
    const { store } = storeOf({ bytesMax: 100 });
    const { upTo } = store.tail('room');
    const place = keep(store, 'room', 'a', 5_000);
    assert.deepEqual(store.tail('room').newest, place);
    keep(store, 'other', 'b');
    assert.equal(store.tail('room').newest, null);
    assert.deepEqual(store.read('room', upTo, 10), { isWhole: false, cause: 'expired' });
  });

  it('leaves nothing of a topic whose messages were dropped, and still knows who has missed some', () => {
    const { clock, store } = storeOf({ retention: { forMs: 1_000, messagesPerTopic: 10 } });
    const start = store.tail('room 7').upTo;
    for (let index = 0; index < 1_000; index += 1) keep(store, `room ${index}`, 'a');
    const { upTo } = store.tail('room 7');
    assert.equal(store.topicsKept, 1_000);
    clock.advance(1_001);
    assert.equal(store.topicsKept, 0);
    assert.deepEqual(store.read('room 7', start, 10), { isWhole: false, cause: 'expired' });
    const empty = { isWhole: true, entries: [], hasMore: false };
    assert.deepEqual(store.read('room 7', upTo, 10), empty);
    keep(store, 'room 7', 'b');
    assert.deepEqual(store.read('room 7', start, 10), { isWhole: false, cause: 'expired' });
    const page = store.read('room 7', upTo, 10);
    assert.equal(page.isWhole && page.entries.length, 1);
  });

  it('never says that a place is whole if a message after it was dropped', () => {
    const act = fc.record({
      topic: fc.constantFrom('a', 'b', 'c'),
      bytes: fc.integer({ min: 0, max: 2_000 }),
      passMs: fc.constantFrom(0, 0, 100, 600),
    });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const retention = { forMs: 1_000, messagesPerTopic: 4 };
        const { clock, store } = storeOf({ retention, bytesMax: 10_000 });
        const all: { topic: string; place: Place }[] = [];
        const starts: Place[] = [store.tail('a').upTo];
        const offsetsAfter = (start: Place, topic: string) =>
          all
            .filter((kept) => kept.topic === topic && kept.place.offset > start.offset)
            .map(({ place }) => place.offset);
        const check = (topic: string, start: Place) => {
          const page = store.read(topic, start, 1_000);
          const offsets = page.isWhole ? page.entries.map(({ offset }) => offset) : [];
          if (page.isWhole) assert.deepEqual(offsets, offsetsAfter(start, topic));
        };
        for (const [index, { topic, bytes, passMs }] of acts.entries()) {
          all.push({ topic, place: keep(store, topic, `m${index}`, bytes) });
          starts.push(store.tail(topic).upTo, all.at(-1)?.place as Place);
          clock.advance(passMs);
          for (const start of starts) for (const other of ['a', 'b', 'c']) check(other, start);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('knows whether more follows a page', () => {
    const { store } = storeOf();
    const { upTo } = store.tail('room');
    for (const id of ['a', 'b', 'c']) keep(store, 'room', id);
    const pages = [2, 3, 4].map((limit) => store.read('room', upTo, limit));
    assert.deepEqual(
      pages.map((page) => page.isWhole && page.hasMore),
      [true, false, false],
    );
  });

  it('bounds the ids that it remembers', () => {
    const { store } = storeOf({ retention: { forMs: 600_000, messagesPerTopic: 1 } });
    for (let index = 0; index < 263_000; index += 1) keep(store, 'room', `m${index}`);
    const again = (index: number) =>
      store.append('room', { id: `m${index}`, payload: Buffer.alloc(0), isBinary: false });
    assert.equal(again(262_999).isDuplicate, true);
    assert.equal(again(132_000).isDuplicate, true);
    assert.equal(again(0).isDuplicate, false);
  });
});

describe('the log of a memory bus', () => {
  it('delivers in a later microtask, also to the link that has appended', async () => {
    const log = memoryLog(new VirtualClock());
    const heard: Entry[] = [];
    log.follow('room', (entry) => heard.push(entry));
    const entry = { id: 'a', payload: Buffer.from('a'), isBinary: false };
    const appended = log.append('room', entry, new AbortController().signal);
    assert.deepEqual(heard, []);
    await appended;
    assert.equal(heard.length, 1);
  });

  it('takes its retention from the options', () => {
    const clock = new VirtualClock();
    assert.deepEqual(memoryLog(clock).retention, { forMs: 600_000, messagesPerTopic: 1_000 });
    const log = memoryLog(clock, { forMs: 5 });
    assert.deepEqual(log.retention, { forMs: 5, messagesPerTopic: 1_000 });
  });

  for (const [options, problem] of [
    [{ bytesMax: 0 }, 'options.bytesMax: must be a whole number from 1 to 2147483647'],
    [{ retention: 5 }, 'options.retention: must be an object, not 5'],
    [{ retention: { forMs: 0 } }, 'options.retention.forMs: must be a whole number from 1'],
    [
      { retention: { forMs: 1, messagesPerTopic: 1.5 } },
      'options.retention.messagesPerTopic: must',
    ],
    [{ retention: { age: 1 } }, 'options.retention.age: unknown option'],
    [{ byteMax: 1 }, 'options.byteMax: unknown option; did you mean bytesMax?'],
  ] as const)
    it(`refuses ${JSON.stringify(options)}`, () => {
      assert.throws(
        () => memoryBus(options as object),
        (error: Error & { code: string }) =>
          error.code === 'invalid-options' && error.message.startsWith(problem),
      );
    });
});

describe('a place as text', () => {
  const place = fc.record(
    {
      log: fc.string({ unit: fc.constantFrom(...'09az'), minLength: 1, maxLength: 16 }),
      offset: fc.maxSafeNat(),
      tag: fc.oneof(fc.constant(''), fc.string().map(tagOf)),
    },
    { noNullPrototype: true },
  );

  it('is read as it was written', () => {
    fc.assert(
      fc.property(place, (given) => {
        const text = formatPlace(given);
        assert.ok(text.length <= 40);
        assert.deepEqual(parsePlace(text), given);
      }),
    );
  });

  it('is refused unless it is exactly what is written', () => {
    const wrong = ['', 'a', 'a.1', 'a.1.AAAAAAA', 'a.1.AAAAAAAAA', 'a.01.', 'A.1.', 'a.-1.'];
    const more = [
      'a.1. ',
      ' a.1.',
      'a.1.\n',
      'a.1.1.',
      '.1.',
      'a..',
      'a.2gosa7pa2gw.',
      'a.1.AAAA/AAA',
    ];
    for (const text of [...wrong, ...more])
      assert.equal(parsePlace(text), null, JSON.stringify(text));
    assert.deepEqual(parsePlace('a.1.'), { log: 'a', offset: 1, tag: '' });
    assert.equal(parsePlace(`${'a'.repeat(17)}.1.`), null);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = parsePlace(text);
        assert.ok(read === null || formatPlace(read) === text);
      }),
    );
  });

  it('has a tag of 48 bits of the id', () => {
    assert.equal(tagOf('a'), 'ypeBEsob');
    assert.match(tagOf('b'), /^[\w-]{8}$/);
  });
});
