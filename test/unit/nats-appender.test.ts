import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Msg, type MsgCallback, type MsgHdrs, MsgHdrsImpl } from '@nats-io/transport-node';
import { Appender, type AppendStream } from '../../src/bus/nats/log/appender.ts';
import { tagOf } from '../../src/bus/place.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const never = new AbortController().signal;

/** One connection, as an appender sees it. */
class FakeStream implements AppendStream {
  /** The ids of what was published, in order, and where the answers go. */
  readonly ids: string[] = [];
  readonly replies: string[] = [];
  isFrozen = false;
  #callback: MsgCallback<Msg> = () => {};

  readonly nats = {
    publish: (_: string, __: unknown, options: { reply?: string; headers?: MsgHdrs } = {}) => {
      this.ids.push(options.headers?.get('Nats-Msg-Id') ?? '');
      this.replies.push(options.reply ?? '');
    },
    subscribe: (subject: string, { callback }: { callback?: MsgCallback<Msg> } = {}) => {
      assert.equal(subject, 'inbox.*');
      this.#callback = callback ?? this.#callback;
    },
    flush: () => (this.isFrozen ? new Promise(() => {}) : Promise.resolve()),
    isClosed: () => false,
  } as unknown as AppendStream['nats'];

  inbox(): string {
    return 'inbox';
  }

  /** Answers what was published at an index. @param ack - without it, nobody listens */
  answer(index: number, ack?: object): void {
    const text = ack === undefined ? '' : JSON.stringify(ack);
    const headers = ack === undefined ? new MsgHdrsImpl(503) : undefined;
    const data = Buffer.from(text);
    const message = { subject: this.replies[index], data, headers, json: () => JSON.parse(text) };
    void this.#callback(null, message as unknown as Msg);
  }
}

/** An appender, and what it has told its log. */
class Bench {
  readonly clock = new VirtualClock();
  readonly logName = 'log';
  readonly payloadBytesMax = 1_000_000;
  sameIdMs = 120_000;
  readonly seen: string[] = [];
  readonly errors: string[] = [];
  doubts = 0;
  readonly appender = new Appender(this);
  readonly #payload: Uint8Array;

  constructor(bytes = 1) {
    this.#payload = new Uint8Array(bytes);
  }

  kept(seq: number, name: string, isDuplicate: boolean): void {
    this.seen.push(`${seq} ${name}${isDuplicate ? ' again' : ''}`);
  }

  doubted(): void {
    this.doubts += 1;
  }

  errored({ message }: Error): void {
    this.errors.push(message);
  }

  append(id: string, signal = never) {
    const entry = { id, payload: this.#payload, isBinary: false };
    const promise = this.appender.append('m.1.in.room', 'room', entry, signal);
    promise.catch(() => {});
    return promise;
  }

  appendAll(count: number) {
    return Array.from({ length: count }, (_, index) => this.append(`m${index}`));
  }

  connect(): FakeStream {
    const stream = new FakeStream();
    this.appender.connected(stream);
    return stream;
  }
}

function names(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `room/m${from + index}`);
}

describe('Appender', () => {
  it('sends 1,024 at a time, lets 10,000 more wait, and refuses the next at once', async () => {
    const bench = new Bench();
    const stream = bench.connect();
    const all = bench.appendAll(11_024);
    assert.equal(stream.ids.length, 1_024);
    await assert.rejects(bench.append('over'), /too many appends wait/);
    for (let index = 0; index < 10; index += 1) stream.answer(index, { seq: index + 1 });
    assert.deepEqual(stream.ids, names(0, 1_034));
    assert.deepEqual(await all[9], {
      place: { log: 'log', offset: 10, tag: tagOf('m9') },
      isDuplicate: false,
    });
    assert.equal(bench.seen[9], '10 room/m9');
    void bench.append('there is room again');
  });

  it('sends 8 MiB at a time, and keeps 64 MiB', async () => {
    const bench = new Bench(1_000_000);
    const stream = bench.connect();
    const all = bench.appendAll(67);
    assert.equal(stream.ids.length, 9);
    await assert.rejects(bench.append('over'), /too many appends wait/);
    stream.answer(0, { seq: 1 });
    await all[0];
    assert.equal(stream.ids.length, 10);
    void bench.append('there is room again');
  });

  it('sends all again in order on the next connection', async () => {
    const bench = new Bench();
    const early = bench.appendAll(2);
    const first = bench.connect();
    const late = bench.append('m2');
    assert.deepEqual(first.ids, names(0, 3));
    first.answer(1, { seq: 7 });
    bench.appender.disconnected();
    const waits = bench.append('m3');
    const second = bench.connect();
    assert.deepEqual(second.ids, ['room/m0', 'room/m2', 'room/m3']);
    second.answer(0, { seq: 6, duplicate: true });
    second.answer(1, { seq: 8 });
    second.answer(2, { seq: 9 });
    const stored = await Promise.all([...early, late, waits]);
    assert.deepEqual(
      stored.map(({ place, isDuplicate }) => [place.offset, isDuplicate]),
      [
        [6, true],
        [7, false],
        [8, false],
        [9, false],
      ],
    );
    const seen = ['7 room/m1', '6 room/m0 again', '8 room/m2', '9 room/m3'];
    assert.deepEqual(bench.seen, seen);
  });

  it('sends again what has no answer after five seconds, in order with all after it', async () => {
    const bench = new Bench();
    const stream = bench.connect();
    const all = bench.appendAll(3);
    stream.answer(1, { seq: 2 });
    bench.clock.advance(4_000);
    const later = bench.append('m3');
    bench.clock.advance(1_000);
    assert.equal(bench.doubts, 1);
    assert.equal(stream.ids.length, 4, 'the server must have read the first ones');
    await new Promise(setImmediate);
    assert.deepEqual(stream.ids.slice(4), ['room/m0', 'room/m2', 'room/m3']);
    // The answers to the first ones are late, and as good.
    for (const index of [0, 2, 3]) stream.answer(index, { seq: 10 + index });
    for (const index of [4, 5, 6]) stream.answer(index, { seq: 20, duplicate: true });
    const stored = await Promise.all([...all, later]);
    assert.deepEqual(
      stored.map(({ place }) => place.offset),
      [10, 2, 12, 13],
    );
    bench.clock.advance(60_000);
    assert.equal(stream.ids.length, 7);
    assert.equal(bench.clock.timersPending, 0);
  });

  it('sends nothing again to a server that does not even read', async () => {
    const bench = new Bench();
    const stream = bench.connect();
    stream.isFrozen = true;
    bench.appendAll(1_024);
    bench.clock.advance(60_000);
    await new Promise(setImmediate);
    assert.equal(stream.ids.length, 1_024);
    void bench.append('waits');
    assert.equal(stream.ids.length, 1_024);
  });

  it('pauses while nobody keeps messages, and sends all again in order', async () => {
    const bench = new Bench();
    const stream = bench.connect();
    const all = bench.appendAll(3);
    for (const index of [0, 1, 2]) stream.answer(index);
    assert.equal(bench.doubts, 3);
    const later = bench.append('m3');
    bench.clock.advance(249);
    assert.equal(stream.ids.length, 3);
    bench.clock.advance(1);
    assert.deepEqual(stream.ids.slice(3), names(0, 4));
    for (const index of [3, 4, 5, 6]) stream.answer(index, { seq: index });
    await Promise.all([...all, later]);
    assert.deepEqual(bench.errors, []);
  });

  it('reports a fault of the server once, and refuses what the server never takes', async () => {
    const bench = new Bench();
    const stream = bench.connect();
    const [first, second] = bench.appendAll(2);
    const full = { code: 503, err_code: 10_077, description: 'maximum bytes exceeded' };
    stream.answer(0, { error: full });
    const large = { code: 400, err_code: 10_054, description: 'message size exceeds maximum' };
    stream.answer(1, { error: large });
    const problem = 'the NATS server refuses to keep a message';
    await assert.rejects(second as Promise<unknown>, new RegExp(`${problem}: .*maximum \\(10054`));
    for (let index = 2; index < 5; index += 1) {
      bench.clock.advance(250);
      stream.answer(index, { error: full });
    }
    assert.deepEqual(bench.errors, [`${problem}: maximum bytes exceeded (10077)`]);
    bench.clock.advance(250);
    stream.answer(5, { seq: 1 });
    await first;
  });

  const passing = [
    { code: 400, err_code: 10_002, description: 'resource limits exceeded for account' },
    { code: 429, err_code: 10_167, description: 'too many requests' },
  ];
  for (const error of passing)
    it(`asks again after "${error.description}"`, async () => {
      const bench = new Bench();
      const stream = bench.connect();
      const appended = bench.append('m0');
      stream.answer(0, { error });
      assert.equal(bench.errors.length, 1);
      bench.clock.advance(250);
      stream.answer(1, { seq: 5 });
      assert.equal((await appended).place.offset, 5);
    });

  it('gives up what may have been kept under an id that the server does not know any more', async () => {
    const bench = new Bench();
    bench.sameIdMs = 10_000;
    const early = bench.append('m0');
    bench.clock.advance(60_000);
    assert.deepEqual(bench.connect().ids, ['room/m0'], 'it was never sent before');
    bench.appender.disconnected();
    const late = bench.append('m1');
    bench.clock.advance(8_999);
    assert.deepEqual(bench.connect().ids, names(0, 2));
    bench.appender.disconnected();
    bench.clock.advance(1);
    const stream = bench.connect();
    assert.deepEqual(stream.ids, ['room/m1']);
    await assert.rejects(early, /has not answered for too long/);
    stream.answer(0, { seq: 5, duplicate: true });
    assert.equal((await late).place.offset, 5);
  });

  it('goes on with what was certainly not kept', async () => {
    const bench = new Bench();
    bench.sameIdMs = 1_000;
    const stream = bench.connect();
    const appended = bench.append('m0');
    const full = { code: 503, err_code: 10_077, description: 'maximum bytes exceeded' };
    for (let index = 0; index < 20; index += 1) {
      stream.answer(index, { error: full });
      bench.clock.advance(250);
    }
    stream.answer(20, { seq: 5 });
    assert.equal((await appended).place.offset, 5);
  });

  it('asks again while replicas have not agreed on a message that was sent before', async () => {
    const bench = new Bench();
    bench.appendAll(2);
    bench.connect();
    bench.appender.disconnected();
    const later = bench.append('m2');
    const stream = bench.connect();
    const isInProcess = {
      error: { code: 409, err_code: 10_158, description: 'duplicate message id is in process' },
    };
    stream.answer(0, isInProcess);
    stream.answer(1, { seq: 0, duplicate: true });
    stream.answer(2, { seq: 3 });
    await later;
    bench.clock.advance(250);
    assert.deepEqual(stream.ids.slice(3), names(0, 2));
    stream.answer(3, { seq: 1, duplicate: true });
    stream.answer(4, isInProcess);
    bench.clock.advance(250);
    assert.deepEqual(stream.ids.slice(5), names(1, 2));
    stream.answer(5, { seq: 2, duplicate: true });
    const seen = ['3 room/m2', '1 room/m0 again', '2 room/m1 again'];
    assert.deepEqual([bench.seen, bench.errors, bench.doubts], [seen, [], 0]);
    bench.clock.advance(60_000);
    assert.equal(stream.ids.length, 6);
    assert.equal(bench.clock.timersPending, 0);
  });

  it('forgets what is given up, and takes no answer for it', async () => {
    const bench = new Bench();
    const stream = bench.connect();
    const given = new AbortController();
    const gone = bench.append('gone', given.signal);
    bench.appendAll(1_024);
    const impatient = new AbortController();
    const waits = bench.append('waits', impatient.signal);
    impatient.abort();
    await assert.rejects(waits);
    assert.equal(stream.ids.length, 1_024, 'one that has only waited makes no room');
    const reason = new Error('given up');
    given.abort(reason);
    await assert.rejects(gone, reason);
    assert.equal(stream.ids.at(-1), 'room/m1023', 'there is room for one more');
    stream.answer(0, { seq: 1 });
    assert.deepEqual(bench.seen, []);
  });

  it('refuses a message that is too large, and sends the next', async () => {
    const bench = new Bench(1_000_001);
    const stream = bench.connect();
    await assert.rejects(bench.append('large'), {
      code: 'message-too-large',
      message: 'the message has 1000001 bytes, and the bus takes 1000000',
    });
    assert.deepEqual(stream.ids, []);
  });

  it('rejects all when it is closed', async () => {
    const bench = new Bench();
    bench.connect();
    const all = bench.appendAll(3);
    bench.appender.close();
    for (const appended of all) await assert.rejects(appended, /the link to the bus is closed/);
    assert.equal(bench.clock.timersPending, 0);
  });
});
