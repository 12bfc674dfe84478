import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GaplessRun } from '../../src/bus/gapless-run.ts';
import { memoryLog } from '../../src/bus/memory-log.ts';
import { Ring, RingBudget } from '../../src/bus/ring.ts';
import { TopicLog, type TopicLogOwner } from '../../src/bus/topic-log.ts';
import { WaitingEntries } from '../../src/bus/waiting-entries.ts';
import { ChartSystem } from '../../src/chart/chart-system.ts';
import type { BusLog, Entry, Page, Place, Tail } from '../../src/core/bus-log.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const TICK_MS = 50;
const start: Place = { log: 'a', offset: 0, tag: '' };

/** An entry after the one with the number before it. */
function entry(offset: number, bytes = 0, changes: Partial<Entry> = {}): Entry {
  const tag = `tag${offset}`;
  const payload = Buffer.alloc(bytes);
  return { log: 'a', offset, tag, prev: offset - 1, payload, isBinary: false, ...changes };
}

describe('a ring', () => {
  it('holds 256 entries, and knows what it does not hold', () => {
    const budget = new RingBudget();
    const ring = new Ring(budget, start);
    for (let offset = 1; offset <= 300; offset += 1) ring.push(entry(offset));
    assert.equal(ring.size, 256);
    assert.equal(ring.floor.offset, 44);
    assert.equal(ring.at(44)?.tag, 'tag44');
    assert.equal(ring.at(43), undefined);
    const { entries, hasMore } = ring.after(298, 1);
    assert.deepEqual([entries.map(({ offset }) => offset), hasMore], [[299], true]);
  });

  it('holds one MiB, and nothing of an entry that is larger', () => {
    const ring = new Ring(new RingBudget(), start);
    for (let offset = 1; offset <= 5; offset += 1) ring.push(entry(offset, 300_000));
    assert.equal(ring.size, 3);
    ring.push(entry(6, 1_048_576));
    assert.deepEqual([ring.size, ring.floor.offset], [0, 6]);
  });

  it('shares its budget with others, and the quietest is trimmed first', () => {
    const budget = new RingBudget(10_000);
    const rings = [0, 1, 2].map(() => new Ring(budget, start)) as [Ring, Ring, Ring];
    const [quiet, middle, loud] = rings;
    for (let offset = 1; offset <= 3; offset += 1) quiet.push(entry(offset, 744));
    for (let offset = 1; offset <= 3; offset += 1) middle.push(entry(offset, 744));
    for (let offset = 1; offset <= 6; offset += 1) loud.push(entry(offset, 744));
    assert.deepEqual(
      rings.map(({ size }) => size),
      [1, 3, 6],
    );
    quiet.push(entry(4, 744));
    assert.deepEqual(
      rings.map(({ size }) => size),
      [2, 2, 6],
    );
    for (let offset = 7; offset <= 60; offset += 1) loud.push(entry(offset, 744));
    assert.deepEqual(
      rings.map(({ size }) => size),
      [0, 0, 10],
    );
    assert.equal(budget.bytes, 10_000);
    for (const ring of rings) ring.clear();
    assert.equal(budget.bytes, 0);
  });
});

describe('all rings of a process', () => {
  it('hold 64 MiB together', () => {
    const budget = new RingBudget();
    const payload = Buffer.alloc(300_000);
    for (let count = 0; count < 100; count += 1) {
      const ring = new Ring(budget, start);
      for (let offset = 1; offset <= 3; offset += 1) ring.push(entry(offset, 0, { payload }));
    }
    assert.ok(budget.bytes <= 67_108_864, `${budget.bytes} bytes`);
    assert.ok(budget.bytes > 66_000_000, `${budget.bytes} bytes`);
  });
});

describe('entries that wait', () => {
  it('are in order, once, and the last are dropped above a bound', () => {
    const waiting = new WaitingEntries();
    for (let offset = 600; offset >= 2; offset -= 2) waiting.add(entry(offset));
    waiting.add(entry(2));
    const offsets: number[] = [];
    for (let first = waiting.first; first; first = waiting.first) {
      offsets.push(first.offset);
      waiting.shift();
    }
    assert.deepEqual(
      offsets,
      Array.from({ length: 256 }, (_, index) => 2 * (index + 1)),
    );
  });

  it('have at most one MiB', () => {
    const waiting = new WaitingEntries();
    for (let offset = 1; offset <= 10; offset += 1) waiting.add(entry(offset, 300_000));
    let count = 0;
    for (; waiting.first !== undefined; waiting.shift()) count += 1;
    assert.equal(count, 3);
  });
});

describe('entries that have waited', () => {
  const ways = {
    'are taken out': (waiting: WaitingEntries) => {
      while (waiting.first !== undefined) waiting.shift();
    },
    'are forgotten': (waiting: WaitingEntries) => waiting.clear(),
    'are of another log': (waiting: WaitingEntries) => waiting.keepOnly('b'),
  };
  for (const [what, empty] of Object.entries(ways))
    it(`make room for others when they ${what}`, () => {
      const waiting = new WaitingEntries();
      const fill = (first: number) => {
        for (const offset of [0, 1, 2]) waiting.add(entry(first + offset, 300_000));
      };
      fill(1);
      empty(waiting);
      fill(4);
      const offsets: number[] = [];
      for (; waiting.first !== undefined; waiting.shift()) offsets.push(waiting.first.offset);
      assert.deepEqual(offsets, [4, 5, 6]);
    });
});

describe('a gapless run', () => {
  function runFrom(place: Place) {
    const told: number[] = [];
    const run = new GaplessRun(place, new RingBudget(), ({ offset }) => told.push(offset));
    return { run, told };
  }

  it('tells entries once and in order, whatever their order is', () => {
    const { run, told } = runFrom({ ...start, offset: 4, tag: 'tag4' });
    assert.equal(run.hear(entry(5)), 'told');
    assert.equal(run.hear(entry(8)), 'early');
    assert.equal(run.hear(entry(7)), 'early');
    assert.equal(run.hear(entry(5)), 'seen');
    assert.equal(run.isBehind, true);
    assert.equal(run.hear(entry(6)), 'told');
    assert.deepEqual(told, [5, 6, 7, 8]);
    assert.equal(run.isBehind, false);
  });

  it('finds what cannot be of the same past', () => {
    const contradictions: readonly Entry[] = [
      entry(6, 0, { tag: 'other' }),
      entry(4, 0, { tag: 'other' }),
      entry(9, 0, { prev: 5 }),
    ];
    for (const other of contradictions) {
      const { run, told } = runFrom({ ...start, offset: 4, tag: 'tag4' });
      for (const offset of [5, 6, 7]) run.hear(entry(offset));
      assert.equal(run.hear(other), 'contradicting', JSON.stringify(other));
      run.hear(entry(8));
      assert.deepEqual(told, [5, 6, 7]);
    }
  });

  it('forgets what it has not told when the bus may come back with another past', () => {
    const { run, told } = runFrom({ ...start, offset: 4, tag: 'tag4' });
    assert.equal(run.hear(entry(7)), 'early');
    run.forgetEarly();
    assert.equal(run.isBehind, false);
    for (const offset of [5, 6]) run.hear(entry(offset));
    assert.deepEqual(told, [5, 6]);
  });

  it('knows what comes after a place only between its floor and its end', () => {
    const { run } = runFrom({ ...start, offset: 4, tag: 'tag4' });
    for (const offset of [5, 6, 7]) run.hear(entry(offset));
    const after = (offset: number) => {
      const page = run.after({ ...start, offset }, 10);
      return page?.isWhole === true ? page.entries.length : null;
    };
    assert.deepEqual([3, 4, 6, 7, 8].map(after), [null, 3, 1, 0, null]);
    assert.equal(run.rest(9), true);
    assert.deepEqual([8, 9, 10].map(after), [0, 0, null]);
  });

  it('rests nowhere while an entry is missing', () => {
    const { run, told } = runFrom({ ...start, offset: 4, tag: 'tag4' });
    run.hear(entry(6));
    assert.equal(run.rest(8), false);
    run.hear(entry(5));
    assert.deepEqual(told, [5, 6]);
    assert.equal(run.rest(8), true);
    assert.equal(run.rest(8), false, 'that is not new');
  });

  it('forgets what was heard of a past that is lost', () => {
    const { run, told } = runFrom({ ...start, offset: 4, tag: 'tag4' });
    run.hear(entry(8));
    run.forgetEarly();
    assert.equal(run.isBehind, false);
    for (const offset of [5, 6, 7]) run.hear(entry(offset));
    assert.deepEqual(told, [5, 6, 7]);
  });

  it('tells nothing more once it has ended, not even the rest of a page', () => {
    const told: number[] = [];
    const run: GaplessRun = new GaplessRun(start, new RingBudget(), ({ offset }) => {
      told.push(offset);
      run.end();
    });
    assert.equal(run.take([1, 2, 3].map((offset) => entry(offset))), true);
    assert.equal(run.hear(entry(2)), 'seen');
    assert.deepEqual(told, [1]);
  });

  it('does not believe that nothing precedes an entry', () => {
    const { run, told } = runFrom(start);
    assert.equal(run.hear(entry(5, 0, { prev: 0 })), 'early');
    assert.equal(run.take([entry(3, 0, { prev: 0 }), entry(5, 0, { prev: 3 })]), true);
    assert.deepEqual(told, [3, 5]);
  });
});

describe('a topic log', () => {
  async function stage(
    change: (log: BusLog) => Partial<BusLog> = () => ({}),
    owner: Partial<TopicLogOwner> = {},
  ) {
    const clock = new VirtualClock();
    const wheel = new TimerWheel(clock, TICK_MS);
    const charts = new ChartSystem({ actorHost: null, areEager: false }, clock);
    const memory = memoryLog(clock);
    const bound: BusLog = {
      retention: memory.retention,
      payloadBytesMax: memory.payloadBytesMax,
      append: (...args) => memory.append(...args),
      follow: (...args) => memory.follow(...args),
      tail: (...args) => memory.tail(...args),
      read: (...args) => memory.read(...args),
    };
    const log: BusLog = { ...bound, ...change(bound) };
    const budget = new RingBudget();
    const reports: string[] = [];
    const topic = new TopicLog(
      'room',
      { log, clock, wheel, charts, budget, random: () => 0.5 },
      {
        following: ({ offset }) => reports.push(`following ${offset}`),
        arrived: ({ offset }) => reports.push(`arrived ${offset}`),
        interrupted: (cause) => reports.push(`interrupted ${cause}`),
        idle: ({ offset }) => reports.push(`idle ${offset}`),
        closed: (error) => reports.push(`closed ${error}`),
        ...owner,
      },
    );
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= TICK_MS) {
        clock.advance(TICK_MS);
        for (let turns = 10; turns > 0; turns -= 1) await null;
      }
    };
    const append = async (id: string) => {
      const payload = Buffer.from(id);
      const signal = new AbortController().signal;
      const { place } = await log.append('room', { id, payload, isBinary: false }, signal);
      for (let turns = 10; turns > 0; turns -= 1) await null;
      return place;
    };
    await pass(TICK_MS);
    return { topic, reports, pass, append, budget };
  }

  it('keeps its entries for two minutes after it was needed, and then releases all', async () => {
    const { topic, reports, pass, append, budget } = await stage();
    const place = await append('a');
    topic.close();
    await pass(110_000);
    await append('b');
    topic.needed();
    const page = topic.after(place, 10) as Page;
    assert.equal(page.isWhole && page.entries.length, 1);
    topic.close();
    await pass(119_000);
    assert.deepEqual(reports.slice(0, 3), ['following 0', 'arrived 1', 'arrived 2']);
    assert.ok(!reports.includes('closed null'));
    await pass(2_000);
    assert.equal(reports.at(-1), 'closed null');
    assert.equal(budget.bytes, 0);
    await append('c');
    assert.equal(reports.at(-1), 'closed null');
    assert.equal(topic.top, null);
  });

  it('reads once for all that are at one place, and again for the next', async () => {
    let reads = 0;
    const { topic, append } = await stage((log) => ({
      read: (...args) => {
        reads += 1;
        return log.read(...args);
      },
    }));
    const place = await append('a');
    const before = reads;
    const old: Place = { ...place, offset: 0, tag: 'AAAAAAAA' };
    const pages = [topic.after(old, 5), topic.after(old, 5), topic.after(old, 6)];
    assert.ok(pages.every((page) => page === pages[0]));
    assert.equal(reads - before, 1);
    for (const page of await Promise.all(pages))
      assert.deepEqual(page, { isWhole: false, cause: 'reset' });
    await topic.after(old, 5);
    assert.equal(reads - before, 2);
  });

  it('keeps what was read for others who are behind, until the last one has it', async () => {
    const { topic, append, budget } = await stage();
    const places: Place[] = [];
    for (let sent = 0; sent < 300; sent += 1) places.push(await append(`m${sent}`));
    const [first, second] = places as [Place, Place];
    const ringBytes = budget.bytes;
    assert.equal(topic.held(first, 10), null);
    await topic.read(first, 10);
    assert.ok(budget.bytes > ringBytes);
    const page = topic.held(second, 5) as Page & { isWhole: true };
    assert.deepEqual([page.isWhole, page.hasMore, page.entries.length], [true, true, 5]);
    assert.equal(page.entries[0]?.offset, second.offset + 1);
    topic.forgetRead();
    assert.equal(topic.held(second, 5), null);
    assert.equal(budget.bytes, ringBytes);
  });

  it('does not keep what was read for those who have it by now, or of another past', async () => {
    for (const end of [
      (topic: TopicLog) => topic.forgetRead(),
      (topic: TopicLog) => topic.rewritten(),
      (topic: TopicLog) => topic.end(),
    ]) {
      const { topic, append, budget } = await stage();
      const first = await append('first');
      for (let sent = 0; sent < 300; sent += 1) await append(`m${sent}`);
      const reading = topic.read(first, 10);
      end(topic);
      const bytes = budget.bytes;
      await reading;
      await null;
      assert.equal(budget.bytes, bytes, String(end));
    }
  });

  it('does not keep what members have read of another past before it has begun', async () => {
    let isThere = false;
    const upTo = { ...start, log: 'b' };
    const { topic, reports, pass } = await stage(() => ({
      tail: async () => {
        if (isThere) return { newest: null, upTo };
        throw new Error('the bus does not answer');
      },
      read: async () => ({ isWhole: true, entries: isThere ? [] : [entry(1)], hasMore: false }),
    }));
    await topic.read(start, 5);
    topic.rewritten();
    isThere = true;
    await pass(1_000);
    assert.equal(reports[0], 'following 0');
    assert.equal(topic.held(start, 5), null);
  });

  it('finds the last entry by itself when it was not heard', async () => {
    const { reports, pass, append } = await stage((log) => ({
      follow: (topic) => log.follow(topic, () => {}),
    }));
    await append('a');
    assert.deepEqual(reports, ['following 0']);
    await pass(700);
    assert.deepEqual(reports, ['following 0', 'arrived 1']);
  });

  it('ends with the error when its owner throws within an order', async () => {
    const following = () => {
      throw new Error('planted');
    };
    const { topic, reports, pass, append, budget } = await stage(() => ({}), { following });
    assert.deepEqual(reports, ['closed Error: planted']);
    await append('a');
    topic.returned();
    await pass(20_000);
    assert.deepEqual(reports, ['closed Error: planted']);
    assert.equal(budget.bytes, 0);
  });

  it('reads at most 256 entries at a time', async () => {
    const limits: number[] = [];
    const { reports, pass, append } = await stage((log) => ({
      follow: (topic) => log.follow(topic, () => {}),
      read: (topic, place, limit) => {
        limits.push(limit);
        return log.read(topic, place, limit);
      },
    }));
    for (let number = 0; number < 600; number += 1) await append(`m${number}`);
    await pass(2_000);
    assert.equal(reports.at(-1), 'arrived 600');
    assert.deepEqual([...new Set(limits)], [256]);
  });

  it('asks a bus that fails less and less often, at last every half minute', async () => {
    let nowMs = 0;
    const askedAtMs: number[] = [];
    const { pass } = await stage(() => ({
      tail: () => {
        askedAtMs.push(nowMs);
        return Promise.reject(new Error('the bus does not answer'));
      },
    }));
    for (; nowMs < 200_000; nowMs += TICK_MS) await pass(TICK_MS);
    const pauses = askedAtMs.slice(1).map((atMs, at) => atMs - (askedAtMs[at] ?? 0));
    const expected = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
    for (const [at, longestMs] of expected.entries()) {
      const pauseMs = pauses[at] ?? 0;
      const isFit = pauseMs >= longestMs / 2 - TICK_MS && pauseMs <= longestMs + 2 * TICK_MS;
      assert.ok(isFit, `${pauses.join(' ')} at ${at}`);
    }
  });

  it('asks again after ten seconds without an answer, and ignores one that comes later', async () => {
    const answers: { resolve: (tail: Tail) => void; reject: (error: Error) => void }[] = [];
    const { reports, pass } = await stage(() => ({
      tail: () => new Promise((resolve, reject) => answers.push({ resolve, reject })),
    }));
    await pass(9_000);
    assert.equal(answers.length, 1);
    await pass(2_000);
    assert.equal(answers.length, 2);
    answers[0]?.reject(new Error('too late'));
    await pass(TICK_MS);
    answers[1]?.resolve({ newest: null, upTo: start });
    await pass(TICK_MS);
    assert.deepEqual(reports, ['following 0']);
    assert.equal(answers.length, 2);
  });

  it('shares no read of before an interruption with those that come after it', async () => {
    const ends: ((page: Page) => void)[] = [];
    const { topic } = await stage(() => ({
      read: () => new Promise((resolve) => ends.push(resolve)),
    }));
    const before = topic.read(start, 5);
    topic.rewritten();
    const later = topic.read(start, 5);
    assert.notEqual(before, later);
    ends[0]?.({ isWhole: true, entries: [], hasMore: false });
    await before;
    for (let turns = 5; turns > 0; turns -= 1) await null;
    assert.equal(topic.read(start, 5), later);
  });

  it('takes late entries of its former log for what they are', async () => {
    let log = 'a';
    let hear: (entry: Entry) => void = () => {};
    const { topic, reports, pass } = await stage(() => ({
      follow: (_topic, heard) => {
        hear = heard;
        return { ready: Promise.resolve(), end() {} };
      },
      tail: async () => ({ newest: null, upTo: { ...start, log } }),
      read: async () => ({ isWhole: true, entries: [], hasMore: false }),
    }));
    log = 'b';
    topic.rewritten();
    await pass(1_000);
    hear(entry(7));
    await pass(1_000);
    assert.deepEqual(reports, ['following 0', 'interrupted reset', 'following 0']);
    hear(entry(7, 0, { log: 'c' }));
    assert.equal(reports.at(-1), 'interrupted reset');
  });
});
