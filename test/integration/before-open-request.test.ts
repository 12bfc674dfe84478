import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import type { FailureCause } from '../../src/index.ts';
import { parseAnswer } from '../support/before-open-answer.ts';
import { requestBytes } from '../support/before-open-instants.ts';
import { Premises } from '../support/before-open-premises.ts';
import { closePayload, opcode } from '../support/frames.ts';
import type { HandshakeSpec, RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

const refusedWhileUpgrading = ['handshaking.admitting', 'handshaking.upgrading', 'failed'];

let premises: Premises;

afterEach(() => premises.close());

describe('before open: plain requests', { timeout: 60_000 }, () => {
  it('A01: a plain GET gets 426 from us, keeps its connection and creates no actor', async () => {
    premises = await Premises.start();
    const peer = await premises.connect();
    for (const path of ['/ws', '/']) {
      peer.answer = '';
      peer.socket.write(`GET ${path} HTTP/1.1\r\nHost: example.com\r\n\r\n`);
      await until(() => peer.answer.includes('upgrade to websocket'), 'the request is answered');
      assert.equal(peer.status, 426);
      assert.match(peer.answer, /^upgrade: websocket\r$/im);
      assert.doesNotMatch(peer.answer, /^connection: .*close/im);
    }
    const told = premises.service.of('connection.failed').map(({ failure }) => failure);
    assert.deepEqual(
      told.map(({ cause, level, path, httpStatus }) => [cause, level, path, httpStatus]),
      [['not-upgraded', 'info', '/ws', 426]],
    );
    assert.deepEqual(premises.service.states, []);
  });

  it('A01: a connection that was kept can still be upgraded', async () => {
    premises = await Premises.start();
    const peer = await premises.connect();
    peer.socket.write('GET /other HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => peer.status === 426, 'the request is answered');
    peer.answer = '';
    peer.request();
    await until(() => peer.status === 101, 'the upgrade is answered');
    await closePolitely(peer);
    await premises.service.closedAs({ code: 1000, clean: true, level: 'info' });
  });

  it('A01: an upgrade behind an unanswered request waits for that answer', async () => {
    premises = await Premises.start();
    const responses: ServerResponse[] = [];
    premises.service.server.on('request', (_request, response) => responses.push(response));
    const peer = await premises.connect();
    const plain = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    peer.socket.write(Buffer.concat([plain, requestBytes(premises.service.port)]));
    await until(() => responses.length === 1, 'the first request has arrived');
    assert.equal(premises.service.inFlight, 0);
    for (const response of responses) response.end('late');
    await premises.service.opened();
    await until(() => peer.answer.includes('late'), 'the first answer has arrived');
    peer.reset();
    await premises.service.closedAs({ code: 1006, cause: 'tcp-reset', level: 'warn' });
    assert.equal(responses.length, 1);
    await premises.vacant();
  });

  it('A01: the host keeps answering plain requests itself', async () => {
    premises = await Premises.start();
    premises.service.server.on('request', (_request, response) => response.end('mine'));
    const peer = await premises.connect();
    peer.socket.write('GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n');
    await until(() => peer.closed, 'the request is answered');
    assert.match(peer.answer, /^HTTP\/1\.1 200 /);
    assert.match(peer.answer, /mine/);
    assert.doesNotMatch(peer.answer, /426/);
    assertNobodyCame();
  });

  it('A01b: a server without a request listener answers', async () => {
    premises = await Premises.start();
    const peer = await premises.connect();
    peer.socket.write('POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
    await until(() => peer.status !== 0, 'the request is answered');
    assert.equal(peer.status, 426);
    assertNobodyCame();
  });

  it('A11c: another kind of upgrade on such a server is answered', async () => {
    premises = await Premises.start();
    const headers = { Upgrade: 'tls/1.0', Connection: 'close, Upgrade' };
    const answer = await premises.refused({ path: '/else', headers });
    assert.equal(answer.status, 426);
    assertNobodyCame();
  });
});

const badKeys = [
  '',
  'AAAA',
  'AAAAAAAAAAAAAAAAAAAAAA=',
  'AAAAAAAAAAAAAAAAAAAAAAAA',
  '!!!!!!!!!!!!!!!!!!!!!!==',
  undefined,
];

describe('before open: malformed handshakes', { timeout: 60_000 }, () => {
  for (const key of badKeys) {
    it(`A02: the key ${key} is refused with 400`, async () => {
      const headers = { 'Sec-WebSocket-Key': key };
      await assertRefused({ headers }, { httpStatus: 400, cause: 'bad-request' });
    });
  }

  for (const version of ['7', '8', '14', '', 'x', '13, 8', undefined]) {
    it(`A03: version ${version} is refused with 426`, async () => {
      const headers = { 'Sec-WebSocket-Version': version };
      await assertRefused({ headers }, { httpStatus: 426, cause: 'wrong-version' });
    });
  }

  for (const method of ['POST', 'PATCH', 'OPTIONS']) {
    it(`A04: ${method} is refused with 405`, async () => {
      await assertRefused({ method }, { httpStatus: 405, cause: 'wrong-method' });
    });
  }

  it('I02: an upgrade to h2c is a plain request', async () => {
    premises = await Premises.start();
    const connection = { Connection: 'close, Upgrade, HTTP2-Settings', 'HTTP2-Settings': '' };
    const answer = await premises.refused({ headers: { Upgrade: 'h2c', ...connection } });
    assert.equal(answer.status, 426);
    const { failure } = await premises.service.when('connection.failed');
    assert.deepEqual([failure.cause, failure.httpStatus], ['not-upgraded', 426]);
  });

  const faults = [
    [
      'A02b: a fault that only ws finds is answered and reported, and the socket is released',
      'a,,b',
      {},
    ],
    [
      'A02b: a subprotocol that is offered twice is refused after authenticate has granted it',
      'a, a',
      { authenticate: async () => 'somebody' },
    ],
  ] as const;
  for (const [title, offer, options] of faults) {
    it(title, async () => {
      premises = await Premises.start(options);
      const answer = await premises.refused({ headers: { 'Sec-WebSocket-Protocol': offer } });
      assert.equal(answer.status, 400);
      await premises.service.failedAs({
        states: refusedWhileUpgrading,
        phase: 'http',
        cause: 'bad-request',
        httpStatus: 400,
        retry: 'backoff',
        level: 'warn',
      });
      await premises.vacant();
    });
  }

  for (const offer of [
    'permessage-deflate; =',
    ';;;',
    'permessage-deflate; client_max_window_bits=99',
  ]) {
    it(`A16: the bad extension offer ${offer} is ignored, because no extension is supported`, async () => {
      premises = await Premises.start();
      const peer = await premises.open({ headers: { 'Sec-WebSocket-Extensions': offer } });
      assert.doesNotMatch(peer.answer, /sec-websocket-extensions/i);
      await closePolitely(peer);
      await premises.service.closedAs({ code: 1000, clean: true, level: 'info' });
    });
  }
});

/** Bytes that are not an HTTP request, or none that Node.js would pass on. */
const garbage: readonly [string, string | Buffer][] = [
  ['I01: garbage', 'ABRACADABRA\r\n\r\n'],
  ['I01: a TLS hello', Buffer.from('16030100c8010000c40303', 'hex')],
  ['I01: the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['I01: a WebSocket frame without a handshake', Buffer.from([0x81, 0x80, 1, 2, 3, 4])],
  ['I01: a header with a bare CR', 'GET /ws HTTP/1.1\r\nHost: a\rb\r\n\r\n'],
  ['A19: a head of more than 16 KiB', upgradeWith(`X: ${'x'.repeat(20_000)}\r\n`)],
  ['A19: a request target of more than 16 KiB', `GET /ws?${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`],
];

describe('before open: input that is not a request', { timeout: 60_000 }, () => {
  for (const [title, bytes] of garbage) {
    it(`${title} ends without an actor`, async () => {
      premises = await Premises.start();
      const peer = await premises.connect();
      peer.socket.write(bytes);
      await until(() => peer.closed, 'the connection is closed');
      if (peer.answer !== '') assert.ok(peer.status === 400 || peer.status === 431);
      assertNobodyCame();
      await premises.vacant();
    });
  }

  it('A19: more than 2,000 headers end in one answer', async () => {
    premises = await Premises.start();
    const peer = await premises.connect();
    peer.socket.write(upgradeWith('a: b\r\n'.repeat(2_100)));
    await until(() => peer.closed, 'the connection is closed');
    assert.ok(peer.status >= 400, peer.answer);
    parseAnswer(peer.answer);
    assert.equal(premises.service.supervisor.counts.open, 0);
    await premises.vacant();
  });

  it('I01: CONNECT is left to others and ends without an actor', async () => {
    premises = await Premises.start();
    const peer = await premises.connect();
    peer.socket.write('CONNECT example.com:80 HTTP/1.1\r\nHost: example.com\r\n\r\n');
    await until(() => peer.closed, 'the connection is closed');
    assertNobodyCame();
  });
});

/** Sends this request to a new service, and asserts the refusal and all its reports. */
async function assertRefused(
  spec: HandshakeSpec,
  expected: { httpStatus: number; cause: FailureCause },
): Promise<void> {
  premises = await Premises.start();
  const answer = await premises.refused(spec);
  assert.equal(answer.status, expected.httpStatus);
  await premises.service.failedAs({
    states: [],
    phase: 'http',
    retry: 'backoff',
    path: '/ws',
    level: 'warn',
    ...expected,
  });
  await premises.vacant();
}

/** A valid handshake with more header lines in front of its own. */
function upgradeWith(headerLines: string): string {
  return [
    `GET /ws HTTP/1.1\r\nHost: a\r\n${headerLines}Upgrade: websocket\r\nConnection: Upgrade`,
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  ].join('\r\n');
}

function assertNobodyCame(): void {
  assert.deepEqual(premises.service.events, []);
  assert.deepEqual(premises.service.states, []);
  assert.deepEqual(premises.service.calls, []);
}

async function closePolitely(peer: RawPeer): Promise<void> {
  peer.send({ opcode: opcode.close, payload: closePayload(1000) });
  await until(() => peer.closed, 'the handshake is done');
}
