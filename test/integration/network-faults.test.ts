import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { FrozenPeer } from '../support/frozen-peer.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { plain } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200 };
const opening = ['handshaking.admitting', 'handshaking.upgrading', 'open'];
const closedByEnd = [...opening, 'closing.peer', 'closing.reaping', 'closed'];
const closedByError = [...opening, 'errored', 'closing.reaping', 'closed'];

const network = {
  ...plain,
  code: 1006,
  reason: '',
  origin: 'network',
  layer: 'tcp',
  clean: false,
  retry: 'backoff',
} as const;

const faultless: object = { error: undefined };
const ended = { ...network, ...faultless, cause: 'tcp-fin', level: 'info' } as const;
const reset = { ...network, cause: 'tcp-reset', level: 'warn' } as const;

let service: Service;
let peer: RawPeer;
/** The server's side of the connection. */
let raw: Socket;
let connection: Connection<unknown, unknown, unknown>;

async function connect(
  options: SupervisorOptions<unknown, unknown, unknown> = {},
  allowHalfOpen = false,
): Promise<void> {
  service = await Service.start({ timeouts, ...options });
  service.server.once('connection', (socket: Socket) => {
    raw = socket;
  });
  peer = await RawPeer.open(service.port, { allowHalfOpen });
  connection = await service.opened();
}

async function release(): Promise<void> {
  peer.destroy();
  await service.stop();
}

/** Sends one message and waits until it was delivered, so that what follows comes on its own. */
async function deliver(message: string): Promise<void> {
  peer.json(message);
  await until(() => service.messages.length === 1, 'the message is delivered');
}

const half = (frame: Buffer) => frame.subarray(0, Math.ceil(frame.length / 2));

/** What a peer may be in the middle of. */
const moments: readonly [string, string, Buffer][] = [
  ['idle', 'D03', Buffer.alloc(0)],
  ['mid-frame', 'D03b', half(buildFrame({ opcode: opcode.text, payload: '"never whole"' }))],
  ['mid-message', 'D03c', buildFrame({ opcode: opcode.text, payload: '"never', fin: false })],
  ['mid-ping', 'D03', half(buildFrame({ opcode: opcode.ping, payload: 'never whole' }))],
  [
    'mid-close',
    'D03',
    half(buildFrame({ opcode: opcode.close, payload: closePayload(1000, 'x') })),
  ],
];

describe('D01, D02 the peer resets', () => {
  afterEach(release);

  for (const [moment, , bytes] of moments) {
    it(`${moment === 'idle' ? 'D01' : 'D02'}: RST ${moment} is a network ending`, async () => {
      await connect();
      await deliver('before');
      await push(bytes);
      peer.reset();
      const verdict = await service.closedAs({ states: closedByError, ...reset });
      assert.equal((verdict.error as NodeJS.ErrnoException).code, 'ECONNRESET');
      assert.deepEqual(
        service.of('connection.errored').map(({ cause, error }) => [cause, error]),
        [['tcp-reset', verdict.error]],
      );
      assert.deepEqual(service.of('connection.closing'), []);
      assert.deepEqual(service.messages, ['before']);
    });
  }
});

/** Writes bytes and waits until the server has read them: a reset may overtake what is on its way. */
async function push(bytes: Buffer): Promise<void> {
  const wanted = raw.bytesRead + bytes.length;
  peer.socket.write(bytes);
  await until(() => raw.bytesRead === wanted, 'the bytes are read');
}

describe('D03 the peer ends', () => {
  afterEach(release);

  for (const [moment, id, bytes] of moments) {
    it(`${id}: FIN ${moment} is a network ending without an error`, async () => {
      await connect();
      await deliver('before');
      peer.socket.end(bytes);
      await service.closedAs({ states: closedByEnd, ...ended });
      const closing = service.of('connection.closing').map(({ origin, code }) => [origin, code]);
      assert.deepEqual(closing, [['network', 1006]]);
      assert.deepEqual(service.of('connection.errored'), []);
      assert.deepEqual(service.messages, ['before']);
    });
  }

  it('D03: nobody of the application is told of a closing by the peer', async () => {
    const closings: unknown[] = [];
    await connect({ onClosing: (_, code) => closings.push(code) });
    peer.end();
    await service.closedAs({ states: closedByEnd, ...ended });
    assert.deepEqual(closings, []);
  });

  it('D03d: a last message that comes with the FIN is delivered first', async () => {
    const states: string[] = [];
    await connect({ onMessage: ({ state }) => states.push(state) });
    peer.socket.end(buildFrame({ opcode: opcode.text, payload: '"last"' }));
    await service.closedAs({ states: closedByEnd, ...ended });
    assert.deepEqual([service.messages, states], [['last'], ['open']]);
  });

  it('D03: a half-open peer is not kept: what it sends after its FIN cannot come', async () => {
    await connect({}, true);
    peer.end();
    await until(() => peer.ended, 'FIN is answered with FIN');
    await service.closedAs({ states: closedByEnd, ...ended });
  });
});

describe('D06 this side sends when the peer is gone', () => {
  afterEach(release);

  it('D06: a send that fails is the first sign: quarantined before the socket errors', async () => {
    await connect();
    const order: string[] = [];
    raw.prependListener('error', () => order.push('socket'));
    service.supervisor.events$.subscribe(({ type }) => order.push(type, connection.send('more')));
    // The RST is in the kernel when this returns, and nobody has looked at the server's socket yet.
    peer.reset();
    assert.equal(connection.state, 'open');
    order.push(connection.send('into the void'));
    const verdict = await service.closedAs({ states: closedByError, ...reset });
    assert.match((verdict.error as NodeJS.ErrnoException).code ?? '', /^(EPIPE|ECONNRESET)$/);
    assert.match(verdict.error?.message ?? '', /^write /);
    assert.deepEqual(order.slice(0, 3), ['connection.errored', 'refused', 'refused']);
  });

  it('D06b: what the kernel takes after the FIN of the peer is sent and never read', async () => {
    await connect();
    peer.destroy();
    assert.equal(connection.state, 'open');
    assert.equal(connection.send('nobody reads this'), 'sent');
    const { verdict } = await service.when('connection.closed');
    assert.deepEqual([verdict.code, verdict.origin, verdict.layer], [1006, 'network', 'tcp']);
    assert.ok(['tcp-fin', 'tcp-reset'].includes(verdict.cause), verdict.cause);
    assert.equal(service.of('connection.closed').length, 1);
    assert.deepEqual(service.calls, ['onOpen', 'onClose']);
  });
});

describe('D08 the process of the peer', () => {
  let other: FrozenPeer;
  afterEach(async () => {
    await other.kill();
    await service.stop();
  });

  it('D08: SIGKILL is an end of TCP', async () => {
    service = await Service.start({ timeouts });
    other = await FrozenPeer.open(service.url);
    await other.kill();
    await service.closedAs({ states: closedByEnd, ...ended });
  });

  it('D08b: SIGSTOP is found by the heartbeat, with the truth about it', async () => {
    const heartbeat = { intervalMs: 300, graceMs: 300 };
    service = await Service.start({ timeouts, heartbeat });
    other = await FrozenPeer.open(service.url);
    await other.freeze();
    await service.closedAs({
      states: closedByError,
      ...network,
      ...faultless,
      cause: 'heartbeat-timeout',
      level: 'warn',
    });
    assert.deepEqual(
      service.events.map(({ type }) => type),
      ['opened', 'suspect', 'errored', 'closed'].map((name) => `connection.${name}`),
    );
    other.thaw();
    await until(() => other.latest?.closed === 1, 'the peer learns of it when it wakes');
  });
});

describe('D09 timeouts of the raw socket', () => {
  afterEach(release);

  it('D09: a timeout that the host sets on the socket closes nothing', async () => {
    let timedOut = 0;
    service = await Service.start({ timeouts });
    const accepted = once(service.server, 'connection');
    peer = await RawPeer.open(service.port);
    connection = await service.opened();
    const [socket] = (await accepted) as [Socket];
    socket.setTimeout(20).on('timeout', () => {
      timedOut += 1;
      socket.setTimeout(20);
    });
    await until(() => timedOut >= 3, 'the socket has timed out again and again');
    assert.equal(connection.state, 'open');
    peer.sendClose(1000);
    await service.closedAs({ states: closedByEnd, code: 1000, cause: 'peer-close', level: 'info' });
  });
});

describe('G06 the peer closes and is gone at once', () => {
  afterEach(release);

  it('G06: its close frame outranks the RST behind it, which is attached', async () => {
    await connect();
    peer.pause();
    // What the peer leaves unread makes its kernel say RST instead of FIN.
    connection.send('x'.repeat(500_000));
    peer.sendClose(1001, 'exit');
    peer.destroy();
    const verdict = await service.closedAs({
      ...plain,
      code: 1001,
      reason: 'exit',
      origin: 'peer',
      layer: 'websocket',
      cause: 'peer-close',
      retry: 'backoff',
      level: 'info',
    });
    assert.match((verdict.error as NodeJS.ErrnoException).code ?? '', /^(EPIPE|ECONNRESET)$/);
  });
});
