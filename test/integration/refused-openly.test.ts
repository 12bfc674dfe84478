import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Refusal, type RefusalOptions, type SupervisorOptions } from '../../src/index.ts';
import { Premises } from '../support/before-open-premises.ts';
import { opcode } from '../support/frames.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { turns, until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

let premises: Premises;

afterEach(() => premises.close());

const refusing = ['handshaking.admitting', 'handshaking.refusing', 'failed'];

/** A service that sends its refusals in close frames. */
async function start(authenticate: () => unknown, options: Options = {}): Promise<void> {
  const { admission, ...rest } = options;
  premises = await Premises.start({
    ...rest,
    authenticate,
    admission: { refusals: 'close', ...admission },
  });
}

const deny = (status?: number, message?: string, options?: RefusalOptions) => () => {
  throw new Refusal(status, message, options);
};

/** Waits for the close frame behind the 101. */
async function told(peer: RawPeer) {
  await until(() => peer.status !== 0 || peer.closed, 'it is answered');
  assert.equal(peer.status, 101);
  await until(() => peer.closeFrame !== undefined, 'a close frame arrives');
  return peer.closeFrame;
}

describe("admission.refusals: 'close'", { timeout: 60_000 }, () => {
  const codes: readonly [number, number, 'slow' | 'backoff'][] = [
    [401, 3000, 'slow'],
    [403, 3003, 'backoff'],
    [408, 3008, 'backoff'],
    [404, 4404, 'backoff'],
    [429, 4429, 'backoff'],
    [503, 4503, 'backoff'],
    [599, 4599, 'backoff'],
  ];
  for (const [status, code, retry] of codes) {
    it(`${status} is ${code} behind a 101, with the message as its reason`, async () => {
      await start(deny(status, 'not you'));
      const peer = await premises.open();
      assert.deepEqual(await told(peer), { code, reason: 'not you' });
      peer.sendClose(code);
      const failure = await premises.service.failedAs({
        states: refusing,
        ...{ phase: 'admission', cause: status === 401 ? 'unauthorized' : 'refused' },
        ...{ closeCode: code, retry, level: 'info' },
      });
      assert.equal('httpStatus' in failure, false);
      assert.deepEqual(premises.service.messages, []);
      await premises.vacant();
    });
  }

  it('applies to false and null, and to other errors of authenticate', async () => {
    const results = [() => null, () => false, () => Promise.reject(new Error('secret'))];
    await start(() => results.shift()?.());
    for (const expected of [
      { code: 3000, reason: 'not admitted' },
      { code: 3000, reason: 'not admitted' },
      { code: 4500, reason: 'internal error' },
    ]) {
      const peer = await premises.open();
      assert.deepEqual(await told(peer), expected);
      peer.destroy();
    }
    await premises.vacant();
    assert.equal(premises.service.of('handler.errored').length, 1);
  });

  it('writes 101 and close frame at once', async () => {
    const writes: number[] = [];
    premises = await Premises.start({
      authenticate: ({ socket }) => {
        const writeAll = socket._writev?.bind(socket);
        socket._writev = (chunks, done) => {
          writes.push(chunks.length);
          writeAll?.(chunks, done);
        };
        throw new Refusal(403, 'no', { close: true });
      },
    });
    const peer = await premises.open();
    await told(peer);
    // The head of the answer, the header of the close frame and its payload.
    assert.deepEqual(writes, [3]);
    peer.destroy();
  });

  it('cuts a reason that is too long for a close frame', async () => {
    await start(deny(403, 'é'.repeat(100)));
    const peer = await premises.open();
    assert.equal((await told(peer))?.reason, 'é'.repeat(61));
    peer.destroy();
  });

  for (const [what, options, offered, agreed] of [
    ['the negotiated one', { subprotocols: ['chat'] }, 'other, chat', 'chat'],
    ['the first one offered', { unmatchedSubprotocols: 'open' }, 'v2.chat, v1.chat', 'v2.chat'],
    ['none when none is offered', {}, undefined, undefined],
  ] as const) {
    it(`names a subprotocol on the 101: ${what}`, async () => {
      await start(deny(401), options as Options);
      const peer = await premises.open({ headers: { 'Sec-WebSocket-Protocol': offered } });
      await told(peer);
      assert.equal(/Sec-WebSocket-Protocol: (.*)\r/.exec(peer.answer)?.[1], agreed);
      peer.destroy();
    });
  }

  it('receives nothing: no message, whatever arrives with the request or behind it', async () => {
    await start(deny(401));
    const peer = await premises.connect({ allowHalfOpen: true });
    const text = peer.frame({ opcode: opcode.text, payload: '"early"' });
    peer.request({ trailing: text });
    await told(peer);
    for (let times = 0; times < 10; times += 1) peer.json('late');
    peer.sendClose(3000);
    await premises.service.failedAs({ closeCode: 3000, level: 'info' });
    assert.deepEqual([premises.service.messages, premises.service.calls], [[], ['onFailed']]);
    assert.deepEqual(peer.texts, []);
    await premises.vacant();
  });

  it('ends at the echo, and after a second without one', async () => {
    await start(deny(401));
    const polite = await premises.open();
    const beganAtMs = performance.now();
    await polite.finishPolitely();
    await premises.service.when('connection.failed');
    assert.ok(performance.now() - beganAtMs < 900, 'the polite one does not wait');
    const silent = await premises.open({ allowHalfOpen: true });
    await told(silent);
    const toldAtMs = performance.now();
    await until(() => premises.service.of('connection.failed').length === 2, 'it is given up');
    const keptMs = performance.now() - toldAtMs;
    assert.ok(keptMs >= 800, `kept for ${keptMs} ms`);
    await premises.vacant();
  });

  for (const [how, leave] of [
    ['FIN', (peer: RawPeer) => peer.end()],
    ['RST', (peer: RawPeer) => peer.reset()],
    ['a violation of the protocol', (peer: RawPeer) => peer.send({ opcode: opcode.text, rsv: 7 })],
  ] as const) {
    it(`ends when the client leaves instead: ${how}`, async () => {
      await start(deny(403));
      const peer = await premises.open();
      await told(peer);
      leave(peer);
      const failure = await premises.service.failedAs({ states: refusing, level: 'info' });
      assert.deepEqual([failure.cause, failure.closeCode], ['refused', 3003]);
      await premises.vacant();
    });
  }

  it('counts against every limit until it ends', async () => {
    await start(deny(401), { admission: { connectionsPerAddressMax: 2 } });
    const peers = [await premises.open(), await premises.open()];
    assert.equal(premises.service.supervisor.counts.handshaking, 2);
    const { status } = await premises.refused();
    assert.equal(status, 429);
    for (const peer of peers) peer.destroy();
    await premises.vacant();
  });

  it('never delays a drain', async () => {
    await start(deny(401));
    const peer = await premises.open({ allowHalfOpen: true });
    await told(peer);
    const { tookMs } = await premises.service.supervisor.drain();
    assert.ok(tookMs < 900, `${tookMs} ms`);
    await until(() => peer.closed || peer.ended, 'it is released');
    assert.equal(peer.violation, undefined, 'no HTTP answer follows the close frame');
    const [failed] = premises.service.of('connection.failed');
    assert.equal(failed?.failure.closeCode, 3000);
  });

  it('never applies to any other refusal', async () => {
    await start(() => 'somebody', {
      admission: { hosts: ['127.0.0.1'], acceptsPerSecondMax: 100 },
      key: () => {
        throw new Error('no key');
      },
    });
    const statuses: Record<string, number> = {};
    for (const [what, spec] of Object.entries({
      host: { headers: { Host: 'evil.example' } },
      origin: { headers: { Origin: 'http://evil.example' } },
      key: { headers: { 'Sec-WebSocket-Key': 'x' } },
      version: { headers: { 'Sec-WebSocket-Version': '8' } },
      'a key that throws': {},
    })) {
      statuses[what] = (await premises.refused(spec)).status;
    }
    assert.deepEqual(statuses, {
      ...{ host: 403, origin: 403, key: 400, version: 426, 'a key that throws': 500 },
    });
  });

  it('falls back to an HTTP answer when ws finds a fault in the request', async () => {
    await start(deny(401));
    const { status } = await premises.refused({ headers: { 'Sec-WebSocket-Protocol': 'a, a' } });
    assert.equal(status, 400);
    const failure = await premises.service.failedAs({
      ...{ cause: 'bad-request', httpStatus: 400, level: 'warn' },
    });
    assert.equal('closeCode' in failure, false);
  });

  it('counts as abandoned when the client has left before there is a 101', async () => {
    let refuse = () => {};
    const asked = new Promise<null>((resolve) => {
      refuse = () => resolve(null);
    });
    await start(() => asked);
    const peer = await premises.ask();
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    peer.end();
    await premises.service.failedAs({ cause: 'abandoned', level: 'info' });
    refuse();
    await turns(3);
    assert.equal(premises.service.of('connection.failed').length, 1);
    assert.equal(peer.answer, '');
  });
});

describe('Refusal: close', { timeout: 60_000 }, () => {
  it('applies to each Refusal, whatever admission.refusals is', async () => {
    const refusals = [new Refusal(403, 'no', { close: true }), new Refusal(403, 'no')];
    premises = await Premises.start({ authenticate: () => refusals.shift() });
    const peer = await premises.open();
    assert.equal((await told(peer))?.code, 3003);
    peer.destroy();
    assert.equal((await premises.refused()).status, 403);
  });

  it('can be false where admission.refusals is close, with headers of its own', async () => {
    await start(deny(429, 'slow down', { close: false, headers: { 'Retry-After': '9' } }));
    const { status, headers } = await premises.refused();
    assert.deepEqual([status, headers.get('retry-after')], [429, '9']);
  });
});
