// Goal: whatever a client says about where it was, it learns nothing of other topics, and is told that nothing is missing only if that
// is true. Method: clients that know only docs/protocol.md send true, foreign, changed, invented and far too many positions to a real
// supervisor. MOORING_FUZZ_RUNS sets the number of runs, MOORING_FUZZ_SEED repeats them.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { memoryBus } from '../../src/index.ts';
import { ByThePage } from '../support/by-the-page.ts';
import { Service } from '../support/service.ts';
import { ToldHistory } from '../support/told-history.ts';
import { until } from '../support/until.ts';

const numRuns = Number(process.env['MOORING_FUZZ_RUNS'] ?? 300);
// A push must not fail for what it has not changed, so CI sends the same each time.
const fresh = process.env['CI'] ? 1 : randomInt(2 ** 31);
const seed = Number(process.env['MOORING_FUZZ_SEED'] ?? fresh);

/** A run in CI takes a third of this. */
const LONGEST_MS = 30_000;

/** How many messages of each topic are kept. */
const KEPT = 150;

/** How many clients a process has before another one takes its place. */
const CONVERSATIONS_MAX = 30;

/** How many positions a server takes, and how long the name of a topic may be. */
const POSITIONS_MAX = 10_000;
const NAME_MAX = 256;

/** So that all positions that the server takes fit into one heading. */
const PAYLOAD_MAX = 262_144;

/** The topics, and how many messages each has at first. */
const TOPICS = new Map([
  ['room/1', 5],
  ['room/2', 30],
  ['long', 400],
  ['__proto__', 3],
  ['constructor', 1],
  ['empty', 0],
]);
const JOINED = [...TOPICS.keys()];

/** Nobody joins it. */
const SECRET = 'secret';
const ALL = [...JOINED, SECRET];

// What clients say.

/** Where a client says that it was. It is written only when it is sent, because it may begin with a true position. */
type Where =
  | { readonly of: string; readonly at: number; readonly change: Change | null }
  | { readonly value: unknown };

/** A change to a true position. */
type Change =
  | { readonly cutTo: number }
  | { readonly at: number; readonly to: string }
  | { readonly shift: number; readonly tagged: boolean }
  | { readonly log: string }
  | { readonly tag: string };

/** A topic, where the client says that it was, and whether that begins with a position of this topic or of another one. */
type Said = readonly [topic: string, where: Where, isOwn: boolean];

/** What a client sends before its first answer to a beat. */
type Part =
  | { readonly from: readonly Said[] }
  | { readonly fillers: number }
  | { readonly raw: string }
  | { readonly broken: 'too-long' | 'not-utf-8' };

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ cutTo: fc.nat(30) }),
  fc.record({ at: fc.nat(30), to: fc.constantFrom('a', '0', '.', 'Z', '\u00e9', '') }),
  fc.record({ shift: fc.integer({ min: -500, max: 500 }), tagged: fc.boolean() }),
  fc.record({ shift: fc.constantFrom(1e6, 2 ** 45), tagged: fc.boolean() }),
  fc.record({ log: fc.constantFrom('0', 'a', 'zzzzzzzzzzzzzzzz', 'Other') }),
  fc.record({ tag: fc.constantFrom('', 'AAAAAAAA', 'A') }),
);

const where: fc.Arbitrary<Where> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      of: fc.constantFrom(...ALL),
      // The last ones are in the memory of the process.
      at: fc.oneof(fc.integer({ min: -10, max: -1 }), fc.integer({ min: -200, max: 200 })),
      change: fc.option(change, { freq: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ value: fc.oneof(fc.jsonValue(), fc.string()) }) },
);

const name = fc.constantFrom(...ALL, 'unknown', '', 'toString', 'x'.repeat(NAME_MAX + 1));

const said: fc.Arbitrary<Said> = fc.tuple(name, where, fc.constantFrom(true, true, false));

const part: fc.Arbitrary<Part> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ from: fc.array(said, { maxLength: 12, size: 'max' }) }),
  },
  { weight: 1, arbitrary: fc.record({ fillers: fc.constantFrom(100, 9_998, 10_000, 12_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      raw: fc.constantFrom(
        '\u0001',
        '\u0001[',
        '\u0001["from"]',
        '\u0001["from",null]',
        '\u0001["from",7]',
        '\u0001["from",["room/1"]]',
        '\u0001["FROM",{"room/1":"x"}]',
        '\u0001{"from":{"room/1":"x"}}',
        `\u0001["from",${'['.repeat(20_000)}${']'.repeat(20_000)}]`,
        '\u0001["on","room/1","a.1.",true,"resumed"]',
        '\u0001["at","room/1","a.1."]',
        '\u0006',
        '"a message"',
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ broken: fc.constantFrom('too-long', 'not-utf-8') }) },
);

const BROKEN = {
  'too-long': { sent: `\u0001["from",{"x":"${'x'.repeat(PAYLOAD_MAX)}"}]`, code: 1009 },
  'not-utf-8': { sent: Buffer.from([1, 0x5b, 0xff]), code: 1007 },
};

// The server, and what it must answer.

const history = new ToldHistory(KEPT);
const bus = memoryBus({ retention: { messagesPerTopic: KEPT } });

/** Its memory has nothing that was appended before it started. */
const startProcess = () =>
  Service.start({
    bus,
    durable: () => true,
    limits: { payloadBytesMax: PAYLOAD_MAX },
    authenticate: ({ url = '' }) => new URL(url, 'ws://x').searchParams.getAll('topic'),
    onOpen: (connection) => {
      for (const topic of connection.peer as string[]) connection.join(topic);
    },
  });

const services = [await startProcess()];
after(async () => {
  // The last one first, because each compares with what there was when it began.
  for (const service of services.reverse()) await service.stop();
});

let conversations = 0;

/** Another one now and then, which must look into the log. */
async function anyProcess(): Promise<Service> {
  conversations += 1;
  if (conversations % CONVERSATIONS_MAX === 0) services.push(await startProcess());
  return services.at(-1) as Service;
}

let count = 0;

async function append(topic: string): Promise<void> {
  count += 1;
  const message = { topic, count };
  const [{ supervisor }] = services as [Service];
  history.appended(topic, message, await supervisor.topic(topic).append(message));
}

for (const topic of ALL)
  for (let left = TOPICS.get(topic) ?? 5; left > 0; left -= 1) await append(topic);

function changed(position: string, given: Change): string {
  const [log = '', digits = '', tag = ''] = position.split('.');
  if ('cutTo' in given) return position.slice(0, given.cutTo);
  if ('to' in given) return position.slice(0, given.at) + given.to + position.slice(given.at + 1);
  if ('log' in given) return `${given.log}.${digits}.${tag}`;
  if ('tag' in given) return `${log}.${digits}.${given.tag}`;
  const offset = Math.max(0, Number.parseInt(digits, 36) + given.shift);
  return `${log}.${offset.toString(36)}.${given.tagged ? tag : ''}`;
}

function positionIn([topic, given, isOwn]: Said): unknown {
  if ('value' in given) return given.value;
  const position = history.positionOf(isOwn ? topic : given.of, given.at);
  return given.change === null ? position : changed(position, given.change);
}

/** As JSON, with every name as it is, also `__proto__` and one that comes twice. */
function headingOf(entries: readonly (readonly [string, unknown])[]): string {
  const members = entries.map((entry) => entry.map((value) => JSON.stringify(value)).join(':'));
  return `\u0001["from",{${members.join(',')}}]`;
}

/** What a client sends, what a server must remember of it, and the codes with which it may close. */
function spoken(parts: readonly Part[]) {
  const sent: (string | Uint8Array)[] = [];
  const positions = new Map<string, unknown>();
  let isSettled = false;
  let code = 0;
  const say = (entries: readonly (readonly [string, unknown])[]) => {
    sent.push(headingOf(entries));
    if (isSettled || code > 0) return;
    for (const [topic, position] of new Map(entries)) {
      if (positions.size >= POSITIONS_MAX) return;
      if (topic.length <= NAME_MAX) positions.set(topic, position);
    }
  };
  for (const given of parts) {
    if ('from' in given) say(given.from.map((one) => [one[0], positionIn(one)]));
    else if ('fillers' in given)
      say(Array.from({ length: given.fillers }, (_, at) => [`f${at}`, '']));
    else if ('raw' in given) {
      sent.push(given.raw);
      isSettled ||= given.raw === '\u0006';
    } else {
      sent.push(BROKEN[given.broken].sent);
      code ||= BROKEN[given.broken].code;
    }
  }
  return { sent, positions, code };
}

const seen = { resumed: 0, first: 0, expired: 0, reset: 0, refused: 0 };

/** What a client has got, in the order of each topic. */
function gotOf({ messages }: ByThePage, topic: string): unknown[] {
  return messages.filter((message) => (message as { topic?: string }).topic === topic);
}

/** The client is told about its topics, about each once, and what it is told is true. */
function assertTrue(page: ByThePage, topics: readonly string[], positions: Map<string, unknown>) {
  const judged = new Map<string, readonly unknown[]>();
  for (const { topic, recovered, cause } of page.told) {
    assert.ok(topics.includes(topic) && !judged.has(topic), `it is told about ${topic}`);
    seen[cause as keyof typeof seen] += 1;
    const position = positions.get(topic);
    const isGiven = positions.has(topic);
    const { resumed, missed } = history.judge(topic, position);
    assert.equal(recovered, cause === 'resumed');
    assert.equal(isGiven, cause !== 'first', `${topic}: ${cause}`);
    if (recovered) assert.notEqual(resumed, 'never', `${topic}: ${position}`);
    else assert.ok(!isGiven || resumed !== 'always', `${topic}: ${position}`);
    judged.set(topic, recovered ? missed : []);
  }
  return judged;
}

/** Every heading and message belongs to a topic to which it was joined. */
function assertPrivate({ texts }: ByThePage, topics: readonly string[]): void {
  for (const text of texts) {
    if (text === '\u0005' || text === '\u0006') continue;
    const value: unknown = JSON.parse(text.startsWith('\u0001') ? text.slice(1) : text);
    const topic = Array.isArray(value) ? value[1] : (value as { topic: string }).topic;
    assert.ok(topics.includes(topic), text);
  }
}

async function converse(topics: readonly string[], parts: readonly Part[]): Promise<void> {
  const { sent, positions, code } = spoken(parts);
  const query = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
  const { url } = await anyProcess();
  const page = new ByThePage(`${url}?${query}`, [], sent);
  try {
    const isTold = () => page.told.length >= topics.length;
    await until(() => page.closeCode > 0 || (code === 0 && isTold()), 'it is told or closed');
    assert.equal(page.closeCode, code);
    if (code > 0) seen.refused += 1;
    const judged = assertTrue(page, topics, positions);
    if (code === 0) for (const topic of topics) await append(topic);
    const expected = topics.map((topic) => [
      ...(judged.get(topic) ?? []),
      ...(code === 0 ? [history.last(topic)] : []),
    ]);
    const length = expected.flat().length;
    if (code === 0) await until(() => page.messages.length >= length, `${length} messages`);
    for (const [at, topic] of topics.entries()) {
      const got = gotOf(page, topic);
      // A client that is closed gets no more.
      assert.deepEqual(got, code === 0 ? expected[at] : expected[at]?.slice(0, got.length));
    }
    if (code === 0) assert.equal(page.told.length, topics.length);
    assertPrivate(page, topics);
    for (const [topic, position] of page.positions) history.told(topic, position);
  } finally {
    page.socket.terminate();
  }
}

/** Where the first message of a topic is. */
const first = (topic: string): Part => ({
  from: [[topic, { of: topic, at: 0, change: null }, true]],
});

describe('positions that a client has made up', () => {
  it('give it nothing of other topics, and nothing that is not true', async (test) => {
    test.diagnostic(`seed ${seed}`);
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(JOINED, { minLength: 1 }),
        fc.array(part, { maxLength: 4 }),
        converse,
      ),
      {
        ...{ numRuns, seed, interruptAfterTimeLimit: LONGEST_MS },
        examples: [
          [['room/2'], [first('room/2')]],
          [['long'], [first('long')]],
        ],
      },
    );
    test.diagnostic(JSON.stringify(seen));
    for (const [cause, times] of Object.entries(seen)) assert.ok(times > 0, `${cause}: ${times}`);
    for (const service of services) assert.deepEqual(service.of('handler.errored'), []);
  });
});
