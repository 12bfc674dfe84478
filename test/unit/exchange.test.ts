// Goal: whatever a peer sends, and in whatever order requests, answers, refusals and breaks come, each request of this side is
// settled once, with its own answer, and nothing is thrown or grows. Method: exchanges of connections that only record, linked in
// memory, on virtual time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ConnectionHost } from '../../src/connection/connection-host.ts';
import { Exchange, exchangeWords } from '../../src/connection/exchange.ts';
import type { ManagedConnection } from '../../src/connection/managed-connection.ts';
import { jsonCodec } from '../../src/core/codec.ts';
import { requestContracts } from '../../src/core/contract.ts';
import { headingText, readHeading, takeHeading } from '../../src/core/heading.ts';
import { RequestRefusal } from '../../src/core/request.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const REQUESTS_MAX = 20;

type Handler = (request: unknown, id: string) => unknown;

/** One end of a connection. What it writes is kept until the other end reads it. */
class End {
  readonly clock: VirtualClock;
  readonly written: string[] = [];
  readonly work: unknown[] = [];
  readonly errors: string[] = [];
  readonly messages: string[] = [];
  awaited = 0;
  /** User code that runs when the number of awaited answers changes, and when something is written. */
  whenAwaited = (): void => {};
  whenWritten = (): void => {};
  isOpen = true;
  /** How many writes the outbox accepts. */
  room = Number.POSITIVE_INFINITY;
  onRequest: Handler | null = (request) => request;
  readonly exchange: Exchange;

  constructor(clock = new VirtualClock()) {
    this.clock = clock;
    const end = this;
    const context = {
      wheel: new TimerWheel(clock, 10),
      random: () => 0.5,
      timeouts: { requestMs: 1_000 },
      limits: { requestsMax: REQUESTS_MAX },
    };
    const connection = {
      context,
      get isOpen() {
        return end.isOpen;
      },
      intake: {
        awaitAnswers: (count: number) => {
          this.awaited = count;
          this.whenAwaited();
        },
        track: (work: unknown) => void this.work.push(work),
      },
      side: {
        isGreeted: true,
        holdsRequests: false,
        answersAwaited() {},
        write: (heading: string, payload?: string) => {
          if (!this.isOpen || this.room === 0) return 'refused';
          this.room -= 1;
          this.written.push(heading, ...(payload === undefined ? [] : [payload]));
          this.whenWritten();
          return 'sent';
        },
      },
    } as unknown as ManagedConnection;
    const host = {
      contracts: requestContracts({ codec: jsonCodec(64, 8_000) }),
      charts: { notifications: { add: (run: () => void) => run() } },
      handlers: {
        get handlesRequests() {
          return end.onRequest !== null;
        },
        request: (_: unknown, request: unknown, { id }: { id: string }) =>
          this.onRequest?.(request, id),
        errored: (_: string, error: Error) => void this.errors.push(error.message),
      },
      messageInvalid: () => {},
    } as unknown as ConnectionHost;
    this.exchange = new Exchange(connection, host);
    Object.assign(connection, { exchange: this.exchange });
    this.take = (text) => {
      const payload = bytes(text);
      if (text.startsWith('\u0001')) takeHeading(exchangeWords, connection, payload);
      else this.#deliver(payload, text);
    };
  }

  /** Takes one text of the other end, as a connection does. */
  readonly take: (text: string) => void;

  #deliver(payload: Uint8Array, text: string): void {
    const announced = this.exchange.take();
    if (announced === null) this.messages.push(text);
    else this.work.push(this.exchange.arrived(announced, payload, false));
  }

  request(message: unknown, timeoutMs = 1_000, signal?: AbortSignal): Promise<unknown> {
    return this.exchange.request(JSON.stringify(message), { timeoutMs, signal });
  }

  close(): void {
    this.isOpen = false;
    this.exchange.end();
  }
}

const values = fc.oneof(
  fc.constantFrom<unknown>('a', 'b', 1, 2, 0, -1, 1.5, null, '', ' ', 'x'.repeat(65), 'é', {}, []),
  fc.jsonValue(),
);
const words = fc.constantFrom('ask', 're', 'no', 'drop', 'receipt', 'got', 'from', 'constructor');
const hostile = fc.oneof(
  fc
    .tuple(words, fc.array(values, { maxLength: 4 }))
    .map(([word, rest]) => headingText(word, ...rest)),
  fc.json(),
  fc.string().map((text) => `\u0001${text}`),
  fc.constantFrom('"x"', '{', ''),
);

describe('an exchange with a hostile peer', () => {
  it('throws nothing, answers each request once at most, and keeps nothing', () => {
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 60 }), fc.boolean(), (texts, handles) => {
        const end = new End();
        let asked = 0;
        const count = () => {
          asked += 1;
        };
        end.onRequest = handles ? count : null;
        for (const text of texts) end.take(text);
        assert.equal(end.exchange.isBusy, false);
        const answers = end.written.filter((text) => /^.\["(re|no)"/.test(text));
        const asks = texts.filter((text) => readHeading(bytes(text))?.[0] === 'ask');
        assert.ok(answers.length <= asks.length);
        assert.ok(asked <= answers.length);
        for (const text of end.written.filter((each) => each.startsWith('\u0001')))
          assert.match(String(readHeading(bytes(text))?.[1]), /^[!-~]{1,64}$/);
      }),
    );
  });

  it('settles its own requests all the same, each once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { maxLength: 30 }), async (texts) => {
        const end = new End();
        const asked = [1, 2, 3].map((each) => end.request(each).catch((error) => error.code));
        let receipts = 1;
        const receipt = end.exchange.sendForReceipt('"x"').then((result) => {
          receipts -= 1;
          return result;
        });
        const ids = end.written.flatMap((text) => {
          const heading = text.startsWith('\u0001') ? readHeading(bytes(text)) : null;
          return heading?.[0] === 'ask' ? [String(heading[1])] : [];
        });
        // Some of them name a request that is really awaited.
        for (const [index, text] of texts.entries())
          end.take(text.replace('"a"', JSON.stringify(ids[index % ids.length])));
        end.clock.advance(1_500);
        await null;
        assert.equal(end.awaited, receipts);
        end.close();
        assert.equal((await Promise.all(asked)).length, 3);
        assert.ok(['received', 'lost'].includes(await receipt));
      }),
    );
  });
});

type Step =
  | { readonly do: 'ask'; readonly from: 0 | 1; readonly timeoutMs: number }
  | { readonly do: 'carry'; readonly to: 0 | 1; readonly count: number }
  | { readonly do: 'answer'; readonly by: 0 | 1 }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'jam'; readonly end: 0 | 1 }
  | { readonly do: 'break' };

const side = fc.constantFrom<0 | 1>(0, 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      from: side,
      timeoutMs: fc.integer({ min: 1, max: 500 }),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant('carry' as const),
      to: side,
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('answer' as const), by: side }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 200 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('jam' as const), end: side }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('break' as const) }) },
);

/** Two ends, and handlers that answer when the schedule says so. */
class Pair {
  readonly clock = new VirtualClock();
  readonly ends: readonly [End, End] = [new End(this.clock), new End(this.clock)];
  readonly results: Promise<readonly [number, unknown]>[] = [];
  readonly #handlers: [(() => void)[], (() => void)[]] = [[], []];
  #asked = 0;

  constructor() {
    for (const at of [0, 1] as const) {
      this.ends[at].onRequest = (request) =>
        new Promise((resolve, reject) => {
          const number = Number(request);
          const settle =
            number % 5 === 0
              ? () => reject(new RequestRefusal(`no-${number}`))
              : () => resolve(number);
          this.#handlers[at].push(settle);
        });
    }
  }

  async run(schedule: readonly Step[]): Promise<void> {
    for (const each of schedule) {
      this.#step(each);
      // Lets the promises of handlers settle.
      for (let turn = 0; turn < 4; turn += 1) await null;
    }
  }

  #step(each: Step): void {
    switch (each.do) {
      case 'ask':
        this.#ask(each.from, each.timeoutMs);
        return;
      case 'carry':
        for (let left = each.count; left > 0; left -= 1) this.#carry(each.to);
        return;
      case 'answer':
        this.#handlers[each.by].shift()?.();
        return;
      case 'wait':
        this.clock.advance(each.ms);
        return;
      case 'jam':
        this.ends[each.end].room = this.ends[each.end].room === 0 ? 3 : 0;
        this.ends[each.end].exchange.flush();
        return;
      case 'break':
        this.close();
    }
  }

  #ask(from: 0 | 1, timeoutMs: number): void {
    if (!this.ends[from].isOpen) return;
    this.#asked += 1;
    const number = this.#asked;
    const settled = (async () => this.ends[from].request(number, timeoutMs))().then(
      (answer) => answer,
      (error) => error.refusal?.code ?? error.code,
    );
    this.results.push(settled.then((result) => [number, result] as const));
  }

  #carry(to: 0 | 1): void {
    const text = this.ends[to === 0 ? 1 : 0].written.shift();
    if (text !== undefined && this.ends[to].isOpen) this.ends[to].take(text);
  }

  close(): void {
    for (const end of this.ends) if (end.isOpen) end.close();
  }
}

describe('two exchanges', () => {
  it('settle every request with its own answer, whatever happens between them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (schedule) => {
        const pair = new Pair();
        await pair.run(schedule);
        pair.close();
        const gone = ['request-timeout', 'request-lost', 'too-many-requests'];
        for (const [number, result] of await Promise.all(pair.results)) {
          const own = number % 5 === 0 ? `no-${number}` : number;
          assert.ok(result === own || gone.includes(result as string), `${number}: ${result}`);
        }
        for (const { exchange, errors, messages } of pair.ends) {
          assert.equal(exchange.isBusy, false);
          assert.deepEqual([errors, messages], [[], []]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keep an answer in mind while the outbox is full, and count it as in flight until then', async () => {
    const end = new End();
    end.room = 0;
    end.take(headingText('ask', 'a1'));
    end.take('"x"');
    end.take(headingText('receipt', 1));
    end.take('"y"');
    assert.deepEqual(end.written, []);
    let settled = 0;
    const waiting = end.work.filter((work) => work instanceof Promise);
    const count = () => {
      settled += 1;
    };
    for (const work of waiting) void work.then(count);
    assert.equal(waiting.length, 2);
    await null;
    assert.equal(settled, 0);
    end.room = Number.POSITIVE_INFINITY;
    end.exchange.flush();
    await null;
    await null;
    assert.equal(settled, 2);
    assert.deepEqual(end.written, [headingText('re', 'a1'), '"x"', headingText('got', 1)]);
  });

  it('send all that waits, although a subscriber gives up what leaves just now', async () => {
    const end = new End();
    end.room = 0;
    const controller = new AbortController();
    const given = end.request('given up', 1_000, controller.signal);
    end.take(headingText('ask', 'a1'));
    end.take('"x"');
    end.room = Number.POSITIVE_INFINITY;
    end.whenWritten = () => controller.abort();
    end.exchange.flush();
    await assert.rejects(given, { name: 'AbortError' });
    const words = end.written
      .filter((text) => text.startsWith('\u0001'))
      .map((text) => readHeading(bytes(text))?.[0]);
    assert.deepEqual(words, ['ask', 're', 'drop']);
  });

  it('send a request before messages that were held back are delivered', async () => {
    const end = new End();
    const controller = new AbortController();
    end.whenAwaited = () => controller.abort();
    await assert.rejects(end.request('x', 1_000, controller.signal), { name: 'AbortError' });
    const [ask, message, drop] = end.written;
    assert.equal(message, '"x"');
    assert.deepEqual(
      [ask, drop].map((text = '') => readHeading(bytes(text))?.[0]),
      ['ask', 'drop'],
    );
  });
});

describe('an exchange', () => {
  it('lets so many requests and receipts wait as the limit allows, and no more', async () => {
    const end = new End();
    const asked = Array.from({ length: REQUESTS_MAX - 1 }, (_, number) => end.request(number));
    for (const each of asked) each.catch(() => {});
    void end.exchange.sendForReceipt('"x"');
    assert.throws(() => end.request('one too many'), { code: 'too-many-requests' });
    assert.equal(await end.exchange.sendForReceipt('"y"'), 'refused');
    end.take(headingText('got', 1));
    end.request('there is room again').catch(() => {});
    assert.equal(end.awaited, REQUESTS_MAX);
    end.close();
  });

  it('answers no request that the peer has given up', async () => {
    const end = new End();
    let answer = (_: string) => {};
    end.onRequest = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    end.take(headingText('ask', 'a1'));
    end.take('"x"');
    end.take(headingText('drop', 'a1'));
    answer('late');
    await Promise.all(end.work);
    assert.deepEqual(end.written, []);
  });

  it('tells the peer nothing of an error of the application', async () => {
    const end = new End();
    end.onRequest = (request) => {
      if (request === 'now') throw new Error('secret');
      return Promise.reject(new Error('secret'));
    };
    for (const [id, message] of [
      ['a1', '"now"'],
      ['a2', '"later"'],
    ] as const) {
      end.take(headingText('ask', id));
      end.take(message);
    }
    await Promise.all(end.work);
    const refusals = ['a1', 'a2'].map((id) => headingText('no', id, 'internal', ''));
    assert.deepEqual(end.written, refusals);
    assert.deepEqual(end.errors, ['secret', 'secret']);
  });
});
