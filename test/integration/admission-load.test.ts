import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type AdmissionOptions, Refusal } from '../../src/index.ts';
import { answerOf } from '../support/before-open-answer.ts';
import { requestBytes, tallied } from '../support/before-open-instants.ts';
import { type CountingClock, Premises } from '../support/before-open-premises.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

function started(admission: Partial<AdmissionOptions>): Promise<Premises> {
  return Premises.start({ admission });
}

/** Connects one more client. Returns `open`, or the status, cause and Retry-After of its refusal. */
async function knock(headers: Record<string, string> = {}): Promise<string> {
  const before = outcomes().length;
  const peer = await premises.ask({ headers });
  await until(() => outcomes().length > before, 'the client has an outcome');
  const event = outcomes()[before];
  if (event?.type !== 'connection.failed') return 'open';
  const answer = await answerOf(peer);
  assert.equal(answer.status, event.failure.httpStatus);
  const { cause, phase, level, retry } = event.failure;
  assert.deepEqual(
    { phase, level, retry },
    { phase: 'admission', level: 'warn', retry: 'backoff' },
  );
  return `${answer.status} ${cause} ${answer.headers.get('retry-after')}`;
}

/** All clients come from one proxy that forwards no addresses, so they may use the whole limit. */
const proxied = { addressOf: () => undefined };

function outcomes() {
  const types = ['connection.opened', 'connection.failed'];
  return premises.service.events.filter(({ type }) => types.includes(type));
}

const full = '503 connections-max 5';
const fullForAddress = '429 address-max 5';
const tooFast = '503 accept-rate 1';
const tooFastForAddress = '429 address-rate 1';

async function closed(peer: RawPeer): Promise<void> {
  const before = premises.service.of('connection.closed').length;
  peer.reset();
  await until(() => premises.service.of('connection.closed').length > before, 'it has closed');
}

describe('admission: connections', { timeout: 60_000 }, () => {
  it('connectionsMax: one too many gets 503, and an ended connection frees its place', async () => {
    premises = await started({ connectionsMax: 2, ...proxied });
    const peer = await premises.open();
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), full);
    assert.equal(await knock(), full);
    await closed(peer);
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), full);
    assert.equal(premises.service.supervisor.counts.open, 2);
  });

  it('connectionsMax: connections being admitted count, and free their place', async () => {
    premises = await Premises.start({
      admission: { connectionsMax: 2, ...proxied },
      authenticate: () => new Promise(() => {}),
    });
    const peers = [await premises.ask(), await premises.ask()];
    await until(() => premises.service.inFlight === 2, 'two are being admitted');
    assert.equal(await knock(), full);
    peers[0]?.reset();
    await until(() => premises.service.inFlight === 1, 'one has left');
    await premises.ask();
    await until(() => premises.service.inFlight === 2, 'another one is being admitted');
    assert.equal(await knock(), full);
  });

  it('connectionsMax: refused clients that have not left yet take no place', async () => {
    premises = await Premises.start({
      admission: { connectionsMax: 1 },
      authenticate: ({ headers }) => {
        if (headers.cookie === undefined) throw new Refusal(401);
        return 'somebody';
      },
    });
    for (let index = 0; index < 5; index += 1) {
      const peer = await premises.connect({ allowHalfOpen: true });
      peer.request();
      await until(() => peer.ended, 'it is refused');
    }
    assert.equal(await knock({ Cookie: 'a=b' }), 'open');
  });

  it('connectionsPerAddressMax: 429 for that address, room for others', async () => {
    premises = await started({ connectionsPerAddressMax: 1 });
    const peer = await premises.open();
    assert.equal(await knock(), fullForAddress);
    const other = connect({
      port: premises.service.port,
      host: '127.0.0.1',
      localAddress: '127.0.0.2',
    });
    other.on('error', () => {});
    other.write(requestBytes(premises.service.port));
    await until(() => premises.service.of('connection.opened').length === 2, 'it is admitted');
    const addresses = [...premises.service.supervisor.connections].map(({ address }) => address);
    assert.deepEqual(addresses, ['127.0.0.1', '127.0.0.2']);
    assert.equal(await knock(), fullForAddress);
    await closed(peer);
    assert.equal(await knock(), 'open');
    other.destroy();
  });

  it('connectionsPerAddressMax: every kind of ending frees the place', async () => {
    const endings: Record<string, (peer: RawPeer) => void> = {
      close: (peer) => peer.sendClose(1000),
      FIN: (peer) => peer.end(),
      RST: (peer) => peer.reset(),
      violation: (peer) => void peer.socket.write(Buffer.from([0xff, 0xff])),
      terminate: () => [...premises.service.supervisor.connections][0]?.terminate(),
    };
    premises = await started({ connectionsPerAddressMax: 1 });
    for (const [kind, end] of Object.entries(endings)) {
      const peer = await premises.open();
      assert.equal(await knock(), fullForAddress, kind);
      end(peer);
      await until(() => premises.service.inFlight === 0, `${kind} ends it`);
    }
    const count = Object.keys(endings).length;
    assert.deepEqual(tallied(premises.service), { failed: count, opened: count, closed: count });
  });

  it('connectionsPerAddressMax: refused requests use up no place', async () => {
    premises = await Premises.start({
      admission: { connectionsPerAddressMax: 1 },
      authenticate: ({ headers }) => {
        if (headers.cookie === undefined) throw new Refusal(401);
        return 'somebody';
      },
    });
    for (let index = 0; index < 3; index += 1) {
      assert.equal((await premises.refused()).status, 401);
      assert.equal((await premises.refused({ path: '/other' })).status, 404);
    }
    assert.equal(await knock({ Cookie: 'a=b' }), 'open');
  });
});

describe('admission: addressOf', { timeout: 60_000 }, () => {
  const addressOf: AdmissionOptions['addressOf'] = ({ headers }) =>
    String(headers['x-forwarded-for']);

  it('distinguishes clients behind a proxy', async () => {
    premises = await started({ connectionsPerAddressMax: 1, addressOf });
    assert.equal(await knock({ 'X-Forwarded-For': '192.0.2.1' }), 'open');
    assert.equal(await knock({ 'X-Forwarded-For': '192.0.2.2' }), 'open');
    assert.equal(await knock({ 'X-Forwarded-For': '192.0.2.1' }), fullForAddress);
    const addresses = [...premises.service.supervisor.connections].map(({ address }) => address);
    assert.deepEqual(addresses, ['192.0.2.1', '192.0.2.2']);
    const [failed] = premises.service.of('connection.failed');
    assert.equal(failed?.failure.address, '192.0.2.1');
  });

  it('reads an address in any spelling, and a network of IPv6 as one address', async () => {
    premises = await started({ connectionsPerAddressMax: 1, addressOf });
    const from = (address: string) => knock({ 'X-Forwarded-For': address });
    assert.equal(await from('::ffff:192.0.2.1'), 'open');
    for (const spelling of ['192.0.2.1', '192.0.2.1:5678', '[::ffff:c000:201]:443']) {
      assert.equal(await from(spelling), fullForAddress, spelling);
    }
    assert.equal(await from('[2001:DB8:0:1::1]:5678'), 'open');
    for (const neighbour of ['2001:db8::1:0:0:0:1', '2001:db8:0:1:ffff::9', 'fe80::1']) {
      const isNear = neighbour !== 'fe80::1';
      assert.equal(await from(neighbour), isNear ? fullForAddress : 'open', neighbour);
    }
    assert.equal(await from('fe80::1%eth0'), fullForAddress);
    assert.equal(await from('2001:db8:0:2::1'), 'open');
    const addresses = [...premises.service.supervisor.connections].map(({ address }) => address);
    assert.deepEqual(addresses, ['192.0.2.1', '2001:db8:0:1::1', 'fe80::1', '2001:db8:0:2::1']);
  });

  it('ipv6PrefixBits: sets the size of that network', async () => {
    premises = await started({ connectionsPerAddressMax: 1, ipv6PrefixBits: 128, addressOf });
    const from = (address: string) => knock({ 'X-Forwarded-For': address });
    assert.equal(await from('2001:db8::1'), 'open');
    assert.equal(await from('2001:db8::2'), 'open');
    assert.equal(await from('2001:db8:0::2'), fullForAddress);
  });

  it('frees the place of an address, whichever spelling it arrived in', async () => {
    premises = await started({ connectionsPerAddressMax: 1, addressOf });
    const peer = await premises.open({ headers: { 'X-Forwarded-For': '2001:db8::1' } });
    const again = { 'X-Forwarded-For': '2001:db8::2' };
    assert.equal(await knock(again), fullForAddress);
    await closed(peer);
    assert.equal(await knock(again), 'open');
    assert.equal(await knock(again), fullForAddress);
  });

  const broken: Record<string, () => unknown> = {
    throws: () => {
      throw new Error('no header');
    },
    rejects: () => Promise.reject(new Error('no header')),
    'returns nothing': () => undefined,
    'returns an empty text': () => '',
    'returns a number': () => 7,
  };
  for (const [how, tell] of Object.entries(broken)) {
    it(`is replaced by the address of the TCP connection when it ${how}`, async () => {
      premises = await started({ addressOf: tell as () => string, connectionsPerAddressMax: 1 });
      const peer = await premises.open();
      const { address } = await premises.service.opened();
      assert.equal(address, '127.0.0.1');
      assert.equal(await knock(), fullForAddress);
      const errors = premises.service.of('handler.errored').map(({ handler }) => handler);
      const expected = how === 'throws' || how === 'rejects' ? ['addressOf', 'addressOf'] : [];
      assert.deepEqual(errors, expected);
      await closed(peer);
    });
  }

  it('never breaks the lines of the log, whatever it returns', async () => {
    const evil = 'a\r\nb\u001b[31m\u2028c';
    premises = await started({ addressOf: () => evil });
    assert.equal((await premises.refused({ path: '/other' })).status, 404);
    const [line] = premises.service.logLines();
    assert.equal(line?.fields['address'], 'a\\u000d\\u000ab\\u001b[31m\\u2028c');
    await premises.service.failedAs({ cause: 'wrong-path', level: 'info' });
  });
});

describe('admission: one address', { timeout: 60_000 }, () => {
  /** A client from another address of this machine, and its result. */
  async function knockFrom(localAddress: string): Promise<string> {
    const before = outcomes().length;
    const { port } = premises.service;
    const other = connect({ port, host: '127.0.0.1', localAddress });
    other.on('error', () => {});
    other.write(requestBytes(port));
    await until(() => outcomes().length > before, 'the client has an outcome');
    others.push(other);
    const event = outcomes()[before];
    return event?.type === 'connection.failed' ? event.failure.cause : 'open';
  }
  const others: Socket[] = [];
  afterEach(() => {
    for (const other of others.splice(0)) other.destroy();
  });

  it('gets half of connectionsMax, so that others have room', async () => {
    premises = await started({ connectionsMax: 4 });
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), fullForAddress);
    assert.equal(await knockFrom('127.0.0.2'), 'open');
    assert.equal(await knockFrom('127.0.0.2'), 'open');
    assert.equal(await knockFrom('127.0.0.3'), 'connections-max');
  });

  it('gets half of acceptsPerSecondMax, so that its flood keeps nobody else out', async () => {
    premises = await started({ acceptsPerSecondMax: 4 });
    premises.clock.stop();
    for (let index = 0; index < 4; index += 1) assert.equal(await knock(), 'open');
    for (let index = 0; index < 10; index += 1) assert.equal(await knock(), tooFastForAddress);
    for (let index = 0; index < 4; index += 1) assert.equal(await knockFrom('127.0.0.2'), 'open');
    assert.equal(await knockFrom('127.0.0.3'), 'accept-rate');
    premises.clock.advance(501);
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), tooFastForAddress);
    assert.equal(await knockFrom('127.0.0.3'), 'open');
  });

  it('gets all of it if it is a proxy, and the addresses that it forwards get half', async () => {
    premises = await started({
      connectionsMax: 4,
      addressOf: ({ headers }) => headers['x-forwarded-for'] as string | undefined,
    });
    const client = { 'X-Forwarded-For': '192.0.2.1' };
    for (const outcome of ['open', 'open', fullForAddress]) {
      assert.equal(await knock(client), outcome);
    }
    for (const outcome of ['open', 'open', full]) assert.equal(await knock(), outcome);
  });
});

describe('admission: accept rate', { timeout: 60_000 }, () => {
  /** The clock stands still unless the test moves it. Timers fire nevertheless. */
  async function frozen(acceptsPerSecondMax: number): Promise<CountingClock> {
    premises = await Premises.start({ admission: { acceptsPerSecondMax, ...proxied } });
    premises.clock.stop();
    return premises.clock;
  }

  it('a burst of twice the rate, then 503; the bucket refills over time', async () => {
    const clock = await frozen(2);
    for (let index = 0; index < 4; index += 1) assert.equal(await knock(), 'open');
    assert.equal(await knock(), tooFast);
    clock.advance(499);
    assert.equal(await knock(), tooFast);
    clock.advance(2);
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), tooFast);
    clock.advance(60_000);
    for (let index = 0; index < 4; index += 1) assert.equal(await knock(), 'open');
    assert.equal(await knock(), tooFast);
  });

  it('requests that are refused for another reason use up no share', async () => {
    await frozen(1);
    for (let index = 0; index < 5; index += 1) {
      assert.equal((await premises.refused({ path: '/other' })).status, 404);
      assert.equal((await premises.refused({ headers: { Origin: 'null' } })).status, 403);
    }
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), 'open');
    assert.equal(await knock(), tooFast);
  });

  it('the rate follows real time: a client that returns later is admitted', async () => {
    premises = await started({ acceptsPerSecondMax: 1, ...proxied });
    const answers: string[] = [];
    // Two are admitted at once. How many of the others are depends on the speed of this machine.
    while (!answers.includes(tooFast)) answers.push(await knock());
    assert.deepEqual(answers.slice(0, 2), ['open', 'open']);
    while (answers.at(-1) !== 'open') answers.push(await knock());
    assert.ok(answers.length > 3);
  });
});

describe('admission: suspend and admit', { timeout: 60_000 }, () => {
  const suspended = '503 suspended 5';

  /** As {@link knock}, for a refusal that has no fault. */
  async function knockInfo(): Promise<string> {
    const answer = await premises.refused();
    const failure = premises.service.of('connection.failed').at(-1)?.failure;
    assert.equal(failure?.level, 'info');
    assert.equal(failure?.retry, 'backoff');
    return `${answer.status} ${failure?.cause} ${answer.headers.get('retry-after')}`;
  }

  it('suspend refuses newcomers and keeps open connections, and admit opens again', async () => {
    premises = await Premises.start({ onMessage: (connection) => connection.send('echo') });
    const { supervisor } = premises.service;
    const peer = await premises.open();
    supervisor.suspend();
    assert.equal(supervisor.state, 'suspended');
    assert.equal(await knockInfo(), suspended);
    assert.equal(await knockInfo(), suspended);
    peer.json('still there?');
    await until(() => peer.texts.length > 0, 'the connection works');
    supervisor.admit();
    assert.equal(supervisor.state, 'admitting');
    await premises.open();
    const told = premises.service.events.map(({ type }) => type);
    assert.deepEqual(told, [
      'connection.opened',
      'supervisor.suspended',
      'connection.failed',
      'connection.failed',
      'supervisor.admitting',
      'connection.opened',
    ]);
  });

  it('both may be called twice, and admit does not undo a drain', async () => {
    premises = await Premises.start();
    const { supervisor } = premises.service;
    supervisor.suspend();
    supervisor.suspend();
    assert.equal(premises.service.of('supervisor.suspended').length, 1);
    supervisor.admit();
    supervisor.admit();
    assert.equal(premises.service.of('supervisor.admitting').length, 1);
    const peer = await premises.open();
    const drained = supervisor.drain();
    supervisor.admit();
    supervisor.suspend();
    assert.equal(supervisor.state, 'draining');
    assert.equal(await knockInfo(), '503 draining 5');
    peer.destroy();
    await drained;
    supervisor.admit();
    assert.equal(supervisor.state, 'stopped');
    assert.equal((await premises.refused()).status, 503);
  });
});
