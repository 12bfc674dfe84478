// Goal: whatever the network or the peer's process does to a connection that was dialed, the client says it once, as
// what it was, and comes back. Method: section D of the catalogue, on real sockets, with a raw server on the other end.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type Codec, jsonCodec, type NodeClientOptions } from '../../src/client/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { type DialedOptions, DialedPair } from '../support/dialed-pair.ts';
import { Dialing } from '../support/dialing.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { FrozenService } from '../support/frozen-peer.ts';
import { until } from '../support/until.ts';
import { faultless, plain, protocolError } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, stalledMs: 250 };
const byEnd = ['closing.peer', 'closing.reaping', 'closed'];
const byEndForced = ['closing.peer', 'closing.forced', 'closing.reaping', 'closed'];
const byError = ['errored', 'closing.reaping', 'closed'];
const byErrorForced = ['errored', 'closing.forced', 'closing.reaping', 'closed'];
const byUsForced = ['closing.local', 'closing.forced', 'closing.reaping', 'closed'];

const abnormal = { ...plain, code: 1006, reason: '', clean: false } as const;
const network = { ...abnormal, origin: 'network', layer: 'tcp', retry: 'backoff' } as const;
const ended = { ...network, ...faultless, cause: 'tcp-fin', level: 'info' } as const;
const reset = { ...network, cause: 'tcp-reset', level: 'warn' } as const;

let pair: DialedPair;

async function connect(options: DialedOptions = {}): Promise<void> {
  pair = await DialedPair.open({ timeouts, ...options });
}

const release = () => pair.end();

const codeOf = (error: Error | undefined) => (error as NodeJS.ErrnoException | undefined)?.code;

const frame = (spec: Parameters<typeof buildFrame>[0]) => buildFrame({ masked: false, ...spec });
const half = (bytes: Buffer) => bytes.subarray(0, Math.ceil(bytes.length / 2));

/** What a peer may be in the middle of. */
const moments: readonly [string, string, Buffer][] = [
  ['idle', 'D03', Buffer.alloc(0)],
  ['mid-frame', 'D03b', half(frame({ opcode: opcode.text, payload: '"never whole"' }))],
  ['mid-message', 'D03c', frame({ opcode: opcode.text, payload: '"never', fin: false })],
  ['mid-ping', 'D03', half(frame({ opcode: opcode.ping, payload: 'never whole' }))],
  ['mid-close', 'D03', half(frame({ opcode: opcode.close, payload: closePayload(1000, 'x') }))],
];

/** Sends one message and waits until it was delivered, so that what follows comes on its own. */
async function deliver(message: string): Promise<void> {
  pair.host.json(message);
  await until(() => pair.dialing.messages.length === 1, 'the message is delivered');
}

/** Writes bytes and waits until the client has read them: a reset may overtake what is on its way. */
async function push(bytes: Buffer): Promise<void> {
  const wanted = pair.raw.bytesRead + bytes.length;
  pair.host.socket.write(bytes);
  await until(() => pair.raw.bytesRead === wanted, 'the bytes are read');
}

describe('client, D01 and D02: the peer resets', () => {
  afterEach(release);

  for (const [moment, , bytes] of moments) {
    it(`${moment === 'idle' ? 'D01' : 'D02'}: RST ${moment} is a network ending`, async () => {
      await connect();
      await deliver('before');
      await push(bytes);
      pair.host.reset();
      const { error } = await pair.closedAs({ states: byError, ...reset });
      assert.equal(codeOf(error), 'ECONNRESET');
      assert.deepEqual(pair.dialing.messages, ['before']);
    });
  }
});

describe('client, D03: the peer ends', () => {
  afterEach(release);

  for (const [moment, id, bytes] of moments) {
    it(`${id}: FIN ${moment} is a network ending without an error`, async () => {
      await connect();
      await deliver('before');
      pair.host.socket.end(bytes);
      await pair.closedAs({ states: byEnd, ...ended });
      assert.deepEqual(pair.dialing.messages, ['before']);
    });
  }

  it('D03d: a last message that comes with the FIN is delivered first', async () => {
    await connect();
    const states: string[] = [];
    pair.client.messages$.subscribe(() => states.push(pair.client.status.state));
    pair.host.socket.end(frame({ opcode: opcode.text, payload: '"last"' }));
    await pair.closedAs({ states: byEnd, ...ended });
    assert.deepEqual([pair.dialing.messages, states], [['last'], ['up']]);
  });

  it('D03: a half-open peer is not kept: its FIN is answered with FIN', async () => {
    await connect({ lingers: true });
    pair.host.end();
    await until(() => pair.host.ended, 'FIN is answered with FIN');
    await pair.closedAs({ states: byEnd, ...ended });
  });
});

describe('client: after each of these', () => {
  afterEach(release);

  const faults: Readonly<Record<string, () => void>> = {
    'D01: RST': () => pair.host.reset(),
    'D03: FIN': () => pair.host.end(),
    'D02: RST mid-frame': () => {
      pair.host.socket.write(half(frame({ opcode: opcode.text, payload: '"never whole"' })));
      pair.host.reset();
    },
    'D06: a send that fails': () => {
      pair.host.reset();
      pair.client.send('into the void');
    },
  };
  for (const [title, happen] of Object.entries(faults)) {
    it(`${title}: it comes back, and what was sent meanwhile arrives there, in order`, async () => {
      await connect({ backoff: { minMs: 20, maxMs: 40 } });
      happen();
      await until(() => pair.dialing.endings.length === 1, 'it has ended');
      const results = ['one', 'two'].map((message) => pair.client.send(message));
      await until(() => pair.hosts[1]?.texts.at(-1) === '"two"', 'it is back');
      assert.deepEqual(results, ['queued', 'queued']);
      assert.deepEqual(pair.hosts[1]?.texts.slice(-2), ['"one"', '"two"']);
      pair.hosts[1]?.json('welcome back');
      await until(() => pair.dialing.messages.length === 1, 'it hears again');
      assert.deepEqual(
        [pair.client.status.attempts, pair.server.visits, pair.dialing.endings.length],
        [2, 2, 1],
      );
    });
  }
});

describe('client, D04: the peer ends while it leaves our backlog unread', () => {
  afterEach(release);

  const limits = { outboxHighBytes: 4_000_000 };

  async function fill(): Promise<void> {
    pair.host.pause();
    await fillBacklog(pair, 200_000);
  }

  it('D04: the socket is destroyed when the time for closing is up', async () => {
    await connect({ limits, lingers: true });
    await fill();
    const flushed = pair.client.sendAndFlush('behind it all', { queue: false });
    pair.host.end();
    const verdict = await pair.closedAs({
      states: byEndForced,
      ...network,
      ...faultless,
      cause: 'tcp-fin-backlog',
      level: 'warn',
    });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
    assert.equal(await flushed, 'lost');
  });

  it('D04: a close frame of the peer whose echo cannot leave is no clean close', async () => {
    await connect({ limits, lingers: true });
    await fill();
    pair.host.sendClose(1001, 'impatient');
    await pair.closedAs({
      states: byEndForced,
      ...faultless,
      code: 1001,
      reason: 'impatient',
      origin: 'peer',
      layer: 'websocket',
      clean: false,
      cause: 'peer-close',
      retry: 'backoff',
      level: 'info',
    });
  });
});

describe('client, D05: the peer stops reading', () => {
  afterEach(release);

  const limits = { outboxHighBytes: 200_000, outboxLowBytes: 100_000 };
  const block = 'x'.repeat(65_000);
  const slow = {
    origin: 'local',
    cause: 'slow-consumer',
    retry: 'backoff',
    level: 'warn',
  } as const;

  /** Lets the peer stop reading, and sends until no more is taken; returns how many were. */
  function congest(): number {
    let taken = 0;
    pair.host.pause();
    while (pair.client.send(block, { queue: false }) !== 'refused') taken += 1;
    return taken;
  }

  it('D05: congested, stalled, closed with 1013 that cannot leave', async () => {
    await connect({ limits });
    congest();
    const expected = { ...abnormal, ...faultless, ...slow, layer: 'tcp' } as const;
    await pair.closedAs({ states: byUsForced, ...expected });
  });

  it('D05: a peer that reads on gets all that was taken, and then what waited', async () => {
    await connect({ limits, timeouts: { ...timeouts, stalledMs: 20_000 } });
    const taken = congest();
    assert.equal(pair.client.send('after'), 'queued');
    pair.host.socket.resume();
    await until(() => pair.host.texts.length === taken + 1, 'every message arrives');
    assert.equal(pair.host.texts.at(-1), '"after"');
    assert.equal(pair.client.status.state, 'up');
  });

  it('D05: a stalled peer that reads on while we close ends with a handshake', async () => {
    await connect({ limits, timeouts: { ...timeouts, closeMs: 10_000 } });
    congest();
    await until(() => pair.states.includes('closing.local'), 'it is given up');
    pair.host.socket.resume();
    await pair.host.finishPolitely();
    const said = { code: 1013, reason: 'too slow', sent: { code: 1013, reason: 'too slow' } };
    await pair.closedAs({
      ...said,
      origin: 'local',
      cause: 'slow-consumer',
      layer: 'websocket',
      clean: true,
    });
  });

  it('D05d: a ping behind a backlog that does not move is proof of nothing', async () => {
    const heartbeat = { intervalMs: 100, graceMs: 100 };
    await connect({ limits: { outboxHighBytes: 4_000_000 }, heartbeat });
    pair.host.pause();
    await fillBacklog(pair, 200_000);
    const said = { cause: 'heartbeat-timeout', level: 'warn' } as const;
    await pair.closedAs({ states: byError, ...network, ...faultless, ...said });
  });

  it('D05c: RST with a backlog', async () => {
    await connect({ limits });
    congest();
    pair.host.reset();
    const { error } = await pair.closedAs({ states: byError, ...reset });
    assert.match(codeOf(error) ?? '', /^(ECONNRESET|EPIPE)$/);
  });
});

describe('client, D06: it sends when the peer is gone', () => {
  afterEach(release);

  it('D06: a send that fails is the first sign: nothing more is tried, the message waits', async () => {
    await connect();
    const order: string[] = [];
    pair.raw.prependListener('error', () => order.push('socket'));
    const told = () => order.push(`ended, then ${pair.client.send('more', { queue: false })}`);
    pair.client.endings$.subscribe(told);
    // The RST is in the kernel when this returns, and nobody has looked at the client's socket yet.
    pair.host.reset();
    assert.equal(pair.client.status.state, 'up');
    order.push(pair.client.send('into the void'));
    assert.equal(pair.client.send('more', { queue: false }), 'refused');
    const { error } = await pair.closedAs({ states: byError, ...reset });
    assert.match(codeOf(error) ?? '', /^(EPIPE|ECONNRESET)$/);
    assert.match(error?.message ?? '', /^write /);
    assert.deepEqual(order, ['queued', 'socket', 'ended, then refused']);
    assert.equal(pair.client.queuedMessages, 2, 'the one that failed, and the late one');
  });

  it('D06b: what the kernel takes after the FIN of the peer is sent and never read', async () => {
    await connect();
    pair.host.destroy();
    assert.equal(pair.client.send('nobody reads this'), 'sent');
    const { cause } = await pair.closedAs({ code: 1006, origin: 'network', layer: 'tcp' });
    assert.ok(['tcp-fin', 'tcp-reset'].includes(cause), cause);
  });
});

describe('client, D08: the process of the peer', () => {
  let other: FrozenService;
  let dialing: Dialing;

  afterEach(async () => {
    other.thaw();
    await other.kill();
    await dialing.client.close();
  });

  async function dial(options: NodeClientOptions = {}): Promise<void> {
    other = await FrozenService.start({ intervalMs: 20_000, graceMs: 20_000 });
    const backoff = { minMs: 60_000, maxMs: 60_000 };
    const url = `ws://127.0.0.1:${other.port}/ws`;
    dialing = await new Dialing(url, { timeouts, backoff, ...options }).up();
  }

  async function closedAs(expected: object): Promise<void> {
    const ending = await dialing.firstEnding();
    assert.ok(ending.outcome === 'closed');
    const { openMs: _, bytesIn: __, bytesOut: ___, ...verdict } = ending.verdict;
    assert.deepEqual(verdict, expected);
    assert.equal(dialing.client.status.state, 'waiting');
    assert.equal(dialing.endings.length, 1);
  }

  const lost = { code: 1006, reason: '', origin: 'network', layer: 'tcp', clean: false };

  it('D08: SIGKILL is an end of TCP', async () => {
    await dial();
    await other.kill();
    await closedAs({ ...lost, cause: 'tcp-fin', retry: 'backoff', level: 'info' });
  });

  it('D08b: SIGSTOP is found by the heartbeat, and a peer that wakes up finds nobody', async () => {
    await dial({ heartbeat: { intervalMs: 300, graceMs: 300 } });
    await other.freeze();
    await closedAs({ ...lost, cause: 'heartbeat-timeout', retry: 'backoff', level: 'warn' });
    other.thaw();
    let census = await other.census();
    while (census.causes.length === 0) census = await other.census();
    assert.deepEqual([census.open, census.causes.length], [0, 1]);
  });
});

describe('client, D12: a message that cannot be sent', () => {
  afterEach(release);

  it('D12: a codec that makes something else than text or bytes is told so at once', async () => {
    const encode: Codec['encode'] = () => new Blob(['late']) as unknown as Uint8Array;
    await connect({ codec: { ...jsonCodec(), encode } });
    assert.throws(() => pair.client.send('x'), { code: 'unencodable-message' });
    assert.equal(pair.client.status.state, 'up');
    assert.deepEqual(pair.host.texts, []);
  });
});

describe('client, D14: the peer breaks the protocol and stays', () => {
  afterEach(release);

  const patience = { ...timeouts, closeMs: 20_000 };

  /** Breaks the protocol, and asserts that the socket is destroyed after the short deadline of errors. */
  async function assertExpires(expected: { sent?: { code: number; reason: string } }) {
    pair.host.send({ opcode: opcode.text, payload: 'x', masked: true });
    await until(() => pair.states.includes('errored'), 'the error is seen');
    const erroredAt = performance.now();
    const verdict = await pair.closedAs({ states: byErrorForced, ...protocolError, ...expected });
    const tookMs = performance.now() - erroredAt;
    assert.ok(tookMs >= timeouts.erroredMs - 50, `forced early: ${tookMs} ms`);
    assert.equal(codeOf(verdict.error), 'WS_ERR_UNEXPECTED_MASK');
  }

  it('D14: it never ends its side', async () => {
    await connect({ timeouts: patience, lingers: true });
    await assertExpires({ sent: { code: 1002, reason: '' } });
    assert.deepEqual(pair.host.closeFrame, { code: 1002, reason: '' });
  });

  it('D14b: it goes on streaming', async () => {
    await connect({ timeouts: patience, lingers: true });
    const stream = setInterval(() => pair.host.json('more'), 2);
    try {
      await assertExpires({ sent: { code: 1002, reason: '' } });
    } finally {
      clearInterval(stream);
    }
    assert.deepEqual(pair.dialing.messages, []);
  });

  it('D14c: it reads nothing, so the close frame never leaves and is not sent', async () => {
    await connect({ timeouts: patience, limits: { outboxHighBytes: 4_000_000 } });
    pair.host.pause();
    await fillBacklog(pair, 200_000);
    await assertExpires({});
  });
});

describe('client, G06: the peer closes and is gone at once', () => {
  afterEach(release);

  it('G06: its close frame outranks the RST behind it, which is attached', async () => {
    await connect();
    pair.host.pause();
    // What the peer leaves unread makes its kernel say RST instead of FIN.
    pair.client.send('x'.repeat(500_000));
    pair.host.sendClose(1001, 'exit');
    pair.host.destroy();
    const verdict = await pair.closedAs({
      ...plain,
      code: 1001,
      reason: 'exit',
      origin: 'peer',
      layer: 'websocket',
      cause: 'peer-close',
      retry: 'backoff',
      level: 'info',
    });
    assert.match(codeOf(verdict.error) ?? '', /^(EPIPE|ECONNRESET)$/);
  });
});
