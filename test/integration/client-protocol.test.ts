// Goal: a server that breaks the protocol, or floods, ends the client's connection once, as what it was, and harms
// nothing else. Method: section E of the catalogue, on real sockets, with a raw server on the other end.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { createClient } from '../../src/client/index.ts';
import type { Limits } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { type DialedOptions, DialedPair, watchDialed } from '../support/dialed-pair.ts';
import { Dialing } from '../support/dialing.ts';
import { type Excess, excesses, tooMany } from '../support/excesses.ts';
import { buildFrame, closePayload, type FrameSpec, opcode } from '../support/frames.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { accepting, RogueServer } from '../support/rogue-server.ts';
import { turns, until } from '../support/until.ts';
import { faultless, protocolError, violationFrame, violationVerdict } from '../support/verdicts.ts';
import { type Violation, violations } from '../support/violations.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200 };
const byError = ['errored', 'closing.reaping', 'closed'];

let pair: DialedPair;

async function connect(options: DialedOptions = {}): Promise<void> {
  pair = await DialedPair.open({ timeouts, ...options });
}

const release = () => pair.end();

/** The bytes of these frames, as a server has to build them unless told otherwise. */
const bytesOf = (...frames: readonly FrameSpec[]) =>
  Buffer.concat(frames.map((spec) => buildFrame({ masked: false, ...spec })));

/** Asserts that what the peer did was answered with this code and told with ws's name for it. */
async function assertViolated({
  error,
  sent,
  limits,
}: Pick<Excess, 'error' | 'sent' | 'limits'>): Promise<void> {
  const frame = violationFrame(sent, limits);
  const told = { ...violationVerdict(sent), sent: frame };
  const verdict = await pair.closedAs({ states: byError, ...told });
  if (sent === 1008) assert.equal(verdict.error?.message, frame.reason);
  assert.equal((verdict.error as NodeJS.ErrnoException).code, error);
  assert.deepEqual(pair.dialing.messages, []);
  await until(() => pair.host.closed, 'the close frame and FIN have come');
  assert.deepEqual(pair.host.closeFrame, frame);
}

const masking: readonly Violation[] = [
  ['masked server text frame', { opcode: opcode.text, payload: 'hi' }] as const,
  ['masked server ping', { opcode: opcode.ping, payload: 'hi' }] as const,
  ['masked server close frame', { opcode: opcode.close, payload: closePayload(1000) }] as const,
].map(([title, spec]) => ({
  title,
  frames: [{ ...spec, masked: true }],
  error: 'WS_ERR_UNEXPECTED_MASK',
  sent: 1002,
}));

describe('client, E: protocol violations', () => {
  afterEach(release);

  for (const { title, frames, ...expected } of [...masking, ...violations]) {
    it(`E: ${title}: the peer gets ${expected.sent}, and the client is exhausted`, async () => {
      await connect();
      pair.host.socket.write(bytesOf(...frames));
      await assertViolated(expected);
    });
  }
});

describe('client, E: more than the limits allow', () => {
  afterEach(release);

  for (const { title, frames, ...expected } of excesses) {
    it(`E: ${title}: the peer gets ${expected.sent}`, async () => {
      await connect({ limits: expected.limits ?? {} });
      pair.host.socket.write(bytesOf(...frames));
      await assertViolated(expected);
    });
  }

  it('E: more chunks of one frame than bufferedChunksMax: the peer gets 1008', async () => {
    const limits = { bufferedChunksMax: 4 };
    await connect({ limits });
    for (const byte of bytesOf({ opcode: opcode.text, payload: '"longer"' }).subarray(0, -1)) {
      if (pair.states.includes('errored')) break;
      const read = pair.raw.bytesRead;
      pair.host.socket.write(Buffer.of(byte));
      while (pair.raw.bytesRead === read && !pair.raw.destroyed) await turns();
    }
    await assertViolated({ ...tooMany, limits });
  });
});

describe('client, E: no more than the limits allow', () => {
  afterEach(release);

  const text = (payload: string) => ({ opcode: opcode.text, payload });
  const allowed: readonly { title: string; limits?: Partial<Limits>; frames: FrameSpec[] }[] = [
    {
      title: 'a text of payloadBytesMax',
      limits: { payloadBytesMax: 10 },
      frames: [text('"12345678"')],
    },
    {
      title: 'fragments that are payloadBytesMax together, with controls between them',
      limits: { payloadBytesMax: 10 },
      frames: [
        { ...text('"1234'), fin: false },
        { opcode: opcode.ping, payload: 'are you there' },
        { opcode: opcode.continuation, payload: '5678"', fin: false },
        { opcode: opcode.pong, payload: 'unasked' },
        { opcode: opcode.continuation, payload: '' },
      ],
    },
    { title: 'a text of 1 MiB', frames: [text(`"${'x'.repeat(1_048_574)}"`)] },
  ];
  for (const { title, limits = {}, frames } of allowed) {
    it(`E: ${title} is delivered`, async () => {
      await connect({ limits });
      pair.host.socket.write(bytesOf(...frames));
      await until(() => pair.dialing.messages.length === 1, 'the message arrives');
      assert.deepEqual([pair.client.status.state, pair.dialing.endings], ['up', []]);
    });
  }
});

describe('client, E05: floods of control frames', () => {
  afterEach(release);

  const pings = (count: number) => bytesOf(...new Array(count).fill({ opcode: opcode.ping }));
  const pongs = () => pair.host.frames.filter((frame) => frame.opcode === opcode.pong);

  const flooded = {
    ...faultless,
    states: byError,
    code: 1006,
    reason: '',
    origin: 'local',
    layer: 'tcp',
    clean: false,
    cause: 'ping-flood',
    retry: 'backoff',
    level: 'warn',
  } as const;

  it('E05: 60 pings in one chunk are all answered, and so are the next 60', async () => {
    await connect();
    for (const total of [60, 120]) {
      pair.host.socket.write(pings(60));
      await until(() => pongs().length === total, 'every ping is answered');
    }
    pair.host.json('still here');
    await until(() => pair.dialing.messages.length === 1, 'a message arrives');
    assert.equal(pair.client.status.state, 'up');
  });

  it('E05b: 61 pings in one chunk are a ping flood; what follows is not delivered', async () => {
    await connect();
    const late = bytesOf({ opcode: opcode.text, payload: '"late"' });
    pair.host.socket.write(Buffer.concat([pings(61), late]));
    await pair.closedAs(flooded);
    assert.deepEqual(pair.dialing.messages, []);
    await until(() => pair.host.closed, 'the peer is let go');
    assert.equal(pair.host.closeFrame, undefined);
  });

  it('E05c: pings behind our own backlog, one by one, end it as a ping flood', async () => {
    await connect({ limits: { outboxHighBytes: 4_000_000 } });
    pair.host.pause();
    await fillBacklog(pair, 500_000);
    for (let count = 1; count <= 60; count += 1) {
      const read = pair.raw.bytesRead;
      pair.host.socket.write(pings(1));
      await until(() => pair.raw.bytesRead > read, 'the ping is read');
    }
    assert.equal(pair.client.status.state, 'up');
    pair.host.socket.write(pings(1));
    await pair.closedAs(flooded);
  });

  it('E05: 5,000 pongs that nobody asked for do no harm', async () => {
    await connect();
    const pong = { opcode: opcode.pong, payload: 'unasked' };
    pair.host.socket.write(bytesOf(...new Array(5_000).fill(pong)));
    pair.host.json('still here');
    await until(() => pair.dialing.messages.length === 1, 'a message arrives');
    assert.deepEqual([pair.client.status.state, pair.host.frames], ['up', []]);
  });
});

describe('client: a flood of messages', () => {
  afterEach(release);

  it('ends with 1008 of ours, and is no reason not to come back', async () => {
    await connect({
      limits: { messagesPerSecondMax: 1, messageBurstMax: 3 },
      overRate: 'close',
    });
    const text = { opcode: opcode.text, payload: '1' };
    pair.host.socket.write(bytesOf(...new Array(10).fill(text)));
    await pair.host.finishPolitely();
    const frame = { code: 1008, reason: 'too many messages' };
    await pair.closedAs({
      ...frame,
      sent: frame,
      origin: 'local',
      cause: 'message-rate',
      clean: true,
      level: 'warn',
      next: 'waiting',
    });
    assert.deepEqual(pair.dialing.messages, [1, 1, 1]);
  });
});

const masked: FrameSpec = { opcode: opcode.text, payload: '"hi"', masked: true };

describe('client, E: how a violation ends', () => {
  afterEach(release);

  it('E07: subscribers that throw do not keep it from being told and from ending', async () => {
    await connect();
    const { endings$, status$, verdicts$ } = pair.client;
    for (const stream of [endings$, status$, verdicts$] as readonly (typeof endings$)[]) {
      stream.subscribe(() => {
        throw new Error('subscriber');
      });
    }
    pair.host.send(masked);
    await assertViolated({ error: 'WS_ERR_UNEXPECTED_MASK', sent: 1002 });
  });

  it('E09: ten violations in one chunk are one ending and one close frame', async () => {
    await connect();
    pair.host.socket.write(bytesOf(...new Array(10).fill(masked)));
    await assertViolated({ error: 'WS_ERR_UNEXPECTED_MASK', sent: 1002 });
    assert.equal(pair.host.frames.length, 1);
  });

  it('E09: messages before a violation are delivered, none after it', async () => {
    await connect();
    const text = (payload: string) => ({ opcode: opcode.text, payload });
    pair.host.socket.write(bytesOf(text('1'), text('2'), masked, text('3')));
    await pair.closedAs({ ...protocolError, sent: { code: 1002, reason: '' } });
    assert.deepEqual(pair.dialing.messages, [1, 2]);
  });

  it('E09: a close frame before a violation is what counts', async () => {
    await connect();
    const close = { opcode: opcode.close, payload: closePayload(1001) };
    pair.host.socket.write(bytesOf(close, masked));
    await pair.closedAs({ code: 1001, cause: 'peer-close', clean: true, retry: 'backoff' });
  });
});

describe('client, E: with ws on the other end', () => {
  let server: WebSocketServer;
  let dialing: Dialing;
  /** What the server's WebSocket has told: the code it closed with, and its errors. */
  let heard: unknown[];

  afterEach(async () => {
    await dialing.client.close();
    await new Promise((resolve) => server.close(resolve));
  });

  /** The server's WebSocket, the socket below it, and the client's socket. */
  async function dial(): Promise<{ theirs: WebSocket; raw: Socket; ours: Socket }> {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const backoff = { minMs: 60_000, maxMs: 60_000 };
    const dialed = watchDialed();
    dialing = new Dialing(`ws://127.0.0.1:${port}/`, { timeouts, backoff });
    const [theirs, request] = (await once(server, 'connection')) as [WebSocket, { socket: Socket }];
    heard = [];
    theirs.on('close', (code) => heard.push(code));
    theirs.on('error', ({ message }) => heard.push(message));
    await dialing.up();
    return { theirs, raw: request.socket, ours: dialed() };
  }

  it('E03: a ws server that violates gets our code and ends clean', async () => {
    const { raw } = await dial();
    raw.write(buildFrame(masked));
    const ending = await dialing.firstEnding();
    assert.equal(ending.outcome === 'closed' && ending.verdict.cause, 'protocol-error');
    await until(() => heard.length === 1, 'the server is told');
    assert.deepEqual(heard, [1002]);
  });

  it('E10: both sides violate at once: both end with 1006', async () => {
    const { raw, ours } = await dial();
    raw.write(buildFrame(masked));
    ours.write(buildFrame({ ...masked, masked: false }));
    const ending = await dialing.firstEnding();
    assert.ok(ending.outcome === 'closed');
    const { code, cause, clean, sent } = ending.verdict;
    assert.deepEqual([code, cause, clean, sent?.code], [1006, 'protocol-error', false, 1002]);
    await until(() => heard.length === 2, 'the server is told');
    assert.deepEqual(heard, ['Invalid WebSocket frame: MASK must be set', 1006]);
    assert.deepEqual([dialing.endings.length, dialing.client.status.state], [1, 'exhausted']);
  });

  it('E03: a code that says that we broke the protocol is a clean end, level error', async () => {
    const { theirs } = await dial();
    theirs.close(1002, 'your fault');
    const ending = await dialing.firstEnding();
    assert.ok(ending.outcome === 'closed');
    const { code, clean, origin, retry, level } = ending.verdict;
    assert.deepEqual(
      { code, clean, origin, retry, level },
      {
        ...{ code: 1002, clean: true, origin: 'peer', retry: 'never', level: 'error' },
      },
    );
    assert.equal(dialing.client.status.state, 'exhausted');
  });
});

describe('client, E06: nobody listens', () => {
  it('E06: a violation without any subscriber does not end the process, or a sibling', async () => {
    const watch = new ProcessWatch();
    const sockets: Socket[] = [];
    const server = await RogueServer.start(accepting(({ socket }) => void sockets.push(socket)));
    const clients = [1, 2].map(() => createClient(`ws://127.0.0.1:${server.port}/`));
    const states = () => clients.map(({ status }) => status.state).toSorted();
    await until(() => states().every((state) => state === 'up'), 'both are up');
    sockets[0]?.write(buildFrame(masked));
    await until(() => states().includes('exhausted'), 'one is over');
    assert.deepEqual(states(), ['exhausted', 'up']);
    await Promise.all(clients.map((client) => client.close()));
    await server.stop();
    await watch.assertQuiet();
    watch.stop();
  });
});
