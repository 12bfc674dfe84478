// Goal: a server that breaks the protocol, or floods, affects only its own connection. Method: section E of the
// situations, as far as an accepted connection has no counterpart, on real sockets, with a raw server or ws.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { createClient } from '../../src/client/index.ts';
import { type DialedOptions, DialedPair, watchDialed } from '../support/dialed-pair.ts';
import { Dialing } from '../support/dialing.ts';
import { buildFrame, type FrameSpec, opcode } from '../support/frames.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { accepting, RogueServer } from '../support/rogue-server.ts';
import { until } from '../support/until.ts';
import { protocolError } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200 };

let pair: DialedPair;

async function connect(options: DialedOptions = {}): Promise<void> {
  pair = await DialedPair.open({ timeouts, ...options });
}

const release = () => pair.end();

describe('client: a flood of messages', () => {
  afterEach(release);

  it('ends with our 1008, and the client reconnects', async () => {
    await connect({
      limits: { messagesPerSecondMax: 1, messageBurstMax: 3 },
      overRate: 'close',
    });
    const text = pair.host.frame({ opcode: opcode.text, payload: '1' });
    pair.host.socket.write(Buffer.concat(new Array(10).fill(text)));
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

  it('E07: throwing subscribers prevent neither the report of a violation nor the end', async () => {
    await connect();
    const { endings$, status$ } = pair.client;
    for (const stream of [endings$, status$] as readonly (typeof endings$)[]) {
      stream.subscribe(() => {
        throw new Error('subscriber');
      });
    }
    pair.host.send(masked);
    const { error } = await pair.closedAs({ ...protocolError, sent: { code: 1002, reason: '' } });
    assert.equal((error as NodeJS.ErrnoException).code, 'WS_ERR_UNEXPECTED_MASK');
  });
});

describe('client, E: with ws on the other side', () => {
  let server: WebSocketServer;
  let dialing: Dialing;
  /** What the server's WebSocket reported: the code it closed with, and its errors. */
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

  it('E03: a ws server that violates the protocol gets our code and ends clean', async () => {
    const { raw } = await dial();
    raw.write(buildFrame(masked));
    const ending = await dialing.firstEnding();
    assert.equal(ending.outcome === 'closed' && ending.verdict.cause, 'protocol-error');
    await until(() => heard.length === 1, 'the server reports it');
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
    await until(() => heard.length === 2, 'the server reports it');
    assert.deepEqual(heard, ['Invalid WebSocket frame: MASK must be set', 1006]);
    assert.deepEqual([dialing.endings.length, dialing.client.status.state], [1, 'waiting']);
  });

  it('E03: a code that reports a violation of ours is a clean end, level error', async () => {
    const { theirs } = await dial();
    theirs.close(1002, 'your fault');
    const ending = await dialing.firstEnding();
    assert.ok(ending.outcome === 'closed');
    const { code, clean, origin, retry, level } = ending.verdict;
    assert.deepEqual(
      { code, clean, origin, retry, level },
      {
        ...{ code: 1002, clean: true, origin: 'peer', retry: 'backoff', level: 'error' },
      },
    );
    assert.equal(dialing.client.status.state, 'waiting');
  });
});

describe('client, E06: without a listener', () => {
  it('E06: a violation without any subscriber ends neither the process nor a sibling', async () => {
    const watch = new ProcessWatch();
    const sockets: Socket[] = [];
    const server = await RogueServer.start(accepting(({ socket }) => void sockets.push(socket)));
    const clients = [1, 2].map(() => createClient(`ws://127.0.0.1:${server.port}/`));
    const states = () => clients.map(({ status }) => status.state).toSorted();
    await until(() => states().every((state) => state === 'up'), 'both are up');
    sockets[0]?.write(buildFrame(masked));
    const ended = () => clients.filter(({ status }) => status.ending !== undefined);
    await until(() => ended().length === 1, 'one is over');
    await until(() => states().every((state) => state === 'up'), 'it has reconnected');
    assert.equal(ended().length, 1);
    await Promise.all(clients.map((client) => client.close()));
    await server.stop();
    await watch.assertQuiet();
    watch.stop();
  });
});
