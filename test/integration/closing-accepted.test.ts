// Goal: how the application of a supervisor can close a connection, and which reports of a closing it gets. Method:
// section C of the situations, as far as a client has no counterpart, on real sockets, with a raw peer.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { WebSocket } from 'undici';
import { createSupervisor } from '../../src/index.ts';
import { type AcceptedOptions, AcceptedPair } from '../support/accepted-pair.ts';
import { fillBacklog } from '../support/backlog.ts';
import {
  byPeer,
  byUs,
  byUsForced,
  closedByHandshake,
  handshake,
  peerClose,
  sent,
  terminated,
  closingTimeouts as timeouts,
} from '../support/closings.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';
import { echoed } from '../support/verdicts.ts';

const byTerminate = ['closing.forced', 'closing.reaping', 'closed'];

let pair: AcceptedPair;

async function connect(options: AcceptedOptions = {}): Promise<AcceptedPair> {
  pair = await AcceptedPair.open({ timeouts, ...options });
  return pair;
}

const release = () => pair.end();

const hasOurs = () => until(() => pair.peer.closeFrame !== undefined, 'our close frame arrives');

describe('close of a connection', () => {
  afterEach(release);

  it('close: returns that it closes, with 1000 and no reason', async () => {
    const { connection, peer } = await connect();
    assert.equal(connection.close(), true);
    await peer.finishPolitely();
    const said = { code: 1000, reason: '', sent: sent(1000), retry: 'backoff' } as const;
    await pair.closedAs({ states: byUs, ...handshake, ...said });
    assert.deepEqual(peer.closeFrame, sent(1000));
  });

  it('C03: a wrong code or reason throws, and the connection continues', async () => {
    const { connection, peer } = await connect();
    const close = connection.close.bind(connection) as (...args: unknown[]) => boolean;
    const codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_536, -1000, 1000.5];
    for (const code of [...codes, Number.NaN, '1000', null, true, {}]) {
      assert.throws(() => close(code), { code: 'invalid-close' }, String(code));
    }
    for (const reason of [null, 1, Buffer.from('x'), {}]) {
      assert.throws(() => close(1000, reason), { code: 'invalid-close' }, String(reason));
    }
    assert.deepEqual([connection.state, connection.send('still here')], ['open', 'sent']);
    await until(() => peer.texts.length === 1, 'the message arrives');
    assert.equal(peer.closeFrame, undefined);
  });

  it('C08: only the first close counts, and none has an effect after the end', async () => {
    const { connection, peer } = await connect();
    assert.deepEqual(
      [connection.close(4001), connection.close(4002), connection.close(), connection.fail('x')],
      [true, false, false, false],
    );
    await peer.finishPolitely();
    const expected = { states: byUs, ...handshake, code: 4001, sent: sent(4001) };
    await pair.closedAs(expected);
    assert.deepEqual(
      [connection.close(4003), connection.terminate(), connection.fail(new Error('late'))],
      [false, false, false],
    );
    assert.throws(() => connection.close(9999), { code: 'invalid-close' });
    assert.equal(connection.send('late'), 'refused');
    await turns(5);
    await pair.closedAs(expected);
    assert.equal(peer.frames.length, 1);
  });

  it('I13: closeMs 0 is refused', () => {
    assert.throws(() => createSupervisor({ timeouts: { closeMs: 0 } }), {
      code: 'invalid-options',
      message: /options\.timeouts\.closeMs/,
    });
  });
});

describe('C01 and C06b the peer closes', () => {
  afterEach(release);

  it('C01: onClosing gets the code of the peer, when nothing can be sent any more', async () => {
    const heard: unknown[] = [];
    const { peer } = await connect({
      onClosing: (closing, ...frame) => heard.push(...frame, closing.send('late')),
    });
    peer.sendClose(1001, 'moving');
    await pair.closedAs({ states: byPeer, ...peerClose, ...echoed(1001, 'moving') });
    assert.deepEqual(heard, [1001, 'moving', 'refused']);
    assert.deepEqual(peer.texts, []);
  });

  it('C06b: close(4000) after 1000 of the peer has no effect and returns that', async () => {
    const answers: boolean[] = [];
    const { peer } = await connect({
      onClosing: (closing) => {
        answers.push(closing.close(4000, 'too late'), closing.fail(new Error('too late')));
      },
    });
    peer.sendClose(1000, 'first');
    const said = { ...echoed(1000, 'first'), retry: 'backoff', level: 'info' } as const;
    await pair.closedAs({ states: byPeer, ...peerClose, ...said });
    assert.deepEqual(answers, [false, false]);
    assert.deepEqual(peer.closeFrame, sent(1000, 'first'));
  });
});

describe('C06 frames that cross', () => {
  afterEach(release);

  it('C06: frames that cross on the network look like an answer', async () => {
    const { connection, peer } = await connect();
    connection.close(4001, 'ours');
    peer.sendClose(4002, 'theirs');
    const said = { code: 4002, reason: 'theirs', sent: sent(4001, 'ours') };
    await pair.closedAs({ ...handshake, ...said });
  });

  it('C06c: an answer without a code to 1000: retry follows from ours', async () => {
    const { connection, peer } = await connect();
    connection.close(1000);
    await hasOurs();
    peer.sendClose();
    const said = { code: 1005, reason: '', sent: sent(1000), retry: 'backoff' } as const;
    await pair.closedAs({ ...handshake, ...said });
  });

  it('C06c: a close frame that arrives while ours waits behind a backlog is no answer', async () => {
    const { connection, peer } = await connect({ timeouts: { ...timeouts, closeMs: 60_000 } });
    peer.pause();
    await fillBacklog(connection, 200_000);
    connection.close(4001, 'ours');
    await turns(20);
    peer.sendClose(4002, 'theirs');
    await until(() => pair.states.includes('closing.local'), 'it is closing');
    await turns(20);
    peer.socket.resume();
    const said = {
      code: 4002,
      reason: 'theirs',
      sent: sent(4001, 'ours'),
      simultaneous: true,
    } as const;
    await pair.closedAs({ ...handshake, ...said });
  });
});

describe('C09 terminate', () => {
  afterEach(release);

  it('C09: an open connection ends at once; the peer sees FIN and no close frame', async () => {
    const { connection, peer } = await connect();
    assert.equal(connection.terminate(), true);
    await pair.closedAs({ states: byTerminate, ...terminated });
    await until(() => peer.ended, 'FIN arrives');
    assert.deepEqual([peer.error, peer.closeFrame], [undefined, undefined]);
  });

  it('C09b: a closing connection ends at once; sent frames stay sent', async () => {
    const { connection } = await connect();
    connection.close(1001, 'slowly');
    await hasOurs();
    assert.deepEqual([connection.terminate(), connection.terminate()], [true, true]);
    await pair.closedAs({ states: byUsForced, ...terminated, sent: sent(1001, 'slowly') });
  });

  it("C09b: a connection that the peer closes keeps the peer's code", async () => {
    const { peer } = await connect({ onClosing: (closing) => closing.terminate() });
    peer.sendClose(4000, 'mine');
    await pair.closedAs({
      states: ['closing.peer', ...byTerminate],
      code: 4000,
      reason: 'mine',
      origin: 'peer',
      layer: 'websocket',
      cause: 'peer-close',
      level: 'info',
    });
  });

  it('C09c: the close frame of the same tick still arrives', async () => {
    const { connection, peer } = await connect();
    connection.close(1001, 'last word');
    connection.terminate();
    await pair.closedAs({ states: byUsForced, ...terminated, sent: sent(1001, 'last word') });
    await until(() => peer.ended, 'FIN arrives');
    assert.deepEqual(peer.closeFrame, sent(1001, 'last word'));
  });

  it('E08b: fail, then terminate in the same tick: the cause is the failure', async () => {
    const { connection, peer } = await connect();
    const error = new Error('no database');
    connection.fail(error);
    connection.terminate();
    await pair.closedAs({
      states: ['errored', ...byTerminate],
      ...{ ...terminated, cause: 'fail', error, sent: sent(1011), level: 'error' },
    });
    await until(() => peer.ended, 'FIN arrives');
    assert.deepEqual(peer.closeFrame, sent(1011));
  });

  it('C09d: unread input turns FIN into RST for the peer, and changes nothing here', async () => {
    let settle = () => {};
    const welcome = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const { connection, peer } = await connect({ onOpen: () => welcome });
    peer.json('x'.repeat(1_000_000));
    await until(() => peer.socket.writableLength === 0, 'the kernel holds it');
    connection.terminate();
    settle();
    await pair.closedAs({ states: byTerminate, ...terminated });
    await until(() => peer.closed, 'the peer reports it');
    assert.equal(peer.error?.code, 'ECONNRESET');
    assert.deepEqual(pair.messages, []);
  });
});

describe('closing in unusual places, with other peers', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('C11: compression is not negotiated when it is offered', async () => {
    service = await Service.start({ timeouts });
    const offer = 'permessage-deflate; client_max_window_bits, permessage-deflate';
    const headers = { 'Sec-WebSocket-Extensions': offer };
    const peer = await RawPeer.open(service.port, { headers });
    const connection = await service.opened();
    assert.doesNotMatch(peer.answer, /extensions|deflate/i);
    connection.send('x'.repeat(10_000));
    await until(() => peer.texts.length === 1, 'the message arrives uncompressed');
    assert.equal(peer.texts[0]?.length, 10_002);
    connection.close(1000);
    await peer.finishPolitely();
    await service.closedAs({ states: closedByHandshake, ...handshake, sent: sent(1000) });
  });

  it('I07: close(1013) in onOpen is a clean close', async () => {
    service = await Service.start({
      timeouts,
      onOpen: (opened) => void opened.close(1013, 'full'),
    });
    const peer = await RawPeer.open(service.port);
    await peer.finishPolitely();
    const expected = { code: 1013, reason: 'full', sent: sent(1013, 'full') };
    await service.closedAs({ states: closedByHandshake, ...handshake, ...expected });
  });

  it('I10d: undici echoes the code without the reason, which remains in sent', async () => {
    service = await Service.start({ timeouts });
    const client = new WebSocket(service.url);
    const seen: unknown[] = [];
    client.addEventListener('close', ({ code, reason, wasClean }) =>
      seen.push(code, reason, wasClean),
    );
    (await service.opened()).close(1012, 'restart');
    await service.closedAs({
      states: closedByHandshake,
      ...handshake,
      code: 1012,
      reason: '',
      sent: sent(1012, 'restart'),
      retry: 'backoff',
    });
    await until(() => seen.length > 0, 'the client reports it');
    assert.deepEqual(seen, [1012, 'restart', true]);
  });
});
