import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection } from '../../src/index.ts';
import { Premises } from '../support/before-open-premises.ts';
import { byError, byPeer, opening, peerClose } from '../support/closings.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { failures } from '../support/stage.ts';
import { turns, until } from '../support/until.ts';
import { echoed, lostToNetwork } from '../support/verdicts.ts';

let premises: Premises;

afterEach(() => premises.close());

function jsonFrame(message: unknown): Buffer {
  return buildFrame({ opcode: opcode.text, payload: JSON.stringify(message) });
}

const politeEnd = {
  states: [...opening, ...byPeer],
  ...peerClose,
  ...echoed(1000),
  level: 'info',
} as const;

async function endPolitely(peer: RawPeer): Promise<void> {
  peer.sendClose(1000);
  await premises.service.closedAs(politeEnd);
}

describe('around open: first frames', { timeout: 60_000 }, () => {
  it('A12: a frame in the packet of the request is delivered after onOpen', async () => {
    const order: string[] = [];
    premises = await Premises.start({
      onOpen: () => void order.push('onOpen'),
      onMessage: (_connection, message) => void order.push(String(message)),
    });
    const peer = await premises.open({ trailing: jsonFrame('first') });
    await until(() => order.length === 2, 'the message is delivered');
    assert.deepEqual(order, ['onOpen', 'first']);
    await endPolitely(peer);
  });

  it('A12: frames in the packet of the request are delivered also when authenticate takes its time', async () => {
    premises = await Premises.start({
      authenticate: async () => {
        await turns(5);
        return 'somebody';
      },
    });
    const trailing = Buffer.concat([jsonFrame(1), jsonFrame(2), jsonFrame(3)]);
    const peer = await premises.open({ trailing });
    await until(() => premises.service.messages.length === 3, 'the messages are delivered');
    assert.deepEqual(premises.service.messages, [1, 2, 3]);
    await endPolitely(peer);
  });

  it('A12: frames that arrive behind the request during authenticate are kept', async () => {
    let grant: (peer: string) => void = () => {};
    const asked = new Promise<string>((resolve) => {
      grant = resolve;
    });
    premises = await Premises.start({ authenticate: () => asked });
    const [first, second] = [jsonFrame(1), jsonFrame(2)];
    const peer = await premises.ask({ trailing: first.subarray(0, 3) });
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    peer.socket.write(Buffer.concat([first.subarray(3), second]));
    const sent = () =>
      [...premises.sockets].every(({ bytesRead }) => bytesRead === peer.socket.bytesWritten);
    await until(sent, 'the frames have arrived');
    grant('somebody');
    await until(() => premises.service.messages.length === 2, 'the messages are delivered');
    assert.deepEqual(premises.service.messages, [1, 2]);
    await endPolitely(peer);
  });

  it('A12b: frames that arrive while onOpen waits for some turns are delivered after it', async () => {
    await assertDeliveredBehind(() => turns(4));
  });

  it('A12d: frames that arrive while onOpen waits for a microtask are delivered after it', async () => {
    await assertDeliveredBehind(() => Promise.resolve());
  });

  it('A12d: a subscription to messages$ made in onOpen misses nothing', async () => {
    const seen: unknown[] = [];
    premises = await Premises.start({
      onOpen: async (connection) => {
        await null;
        connection.messages$.subscribe((message) => seen.push(message));
      },
    });
    const peer = await premises.open({ trailing: jsonFrame('early') });
    await until(() => seen.length > 0, 'the message is delivered');
    assert.deepEqual(seen, ['early']);
    await endPolitely(peer);
  });
});

async function assertDeliveredBehind(wait: () => Promise<void>): Promise<void> {
  const order: unknown[] = [];
  premises = await Premises.start({
    onOpen: async () => {
      await wait();
      order.push('open');
    },
    onMessage: (_connection, message) => void order.push(message),
  });
  const trailing = Buffer.concat([jsonFrame(1), jsonFrame(2)]);
  const peer = await premises.open({ trailing });
  peer.json(3);
  await until(() => order.length === 4, 'everything is delivered');
  assert.deepEqual(order, ['open', 1, 2, 3]);
  await endPolitely(peer);
}

describe('around open: the moment itself', { timeout: 60_000 }, () => {
  for (const { way, fail } of failures) {
    it(`A13: onOpen ${way}: 1011 to the peer, closed with handler-error`, async () => {
      premises = await Premises.start({ onOpen: () => fail() as undefined });
      const peer = await premises.open();
      await peer.finishPolitely();
      const verdict = await premises.service.closedAs({
        states: [...opening, ...byError],
        code: 1011,
        sent: { code: 1011, reason: '' },
        origin: 'local',
        layer: 'websocket',
        clean: true,
        cause: 'handler-error',
        level: 'error',
      });
      assert.equal(verdict.error?.message, 'boom');
      assert.deepEqual(peer.closeFrame, { code: 1011, reason: '' });
      assert.equal(premises.service.of('handler.errored')[0]?.handler, 'onOpen');
    });
  }

  it('A14: in onOpen it is open, registered and reachable, and 101 is the first output', async () => {
    const seen: unknown[] = [];
    const look = ({ id, state }: Connection<unknown, unknown, unknown>) => {
      const { supervisor, events } = premises.service;
      seen.push(state, supervisor.get(id)?.id === id, [...supervisor.connections].length);
      seen.push(events.map(({ type }) => type));
    };
    premises = await Premises.start({
      onOpen: (connection) => {
        look(connection);
        seen.push(connection.send('hello'));
      },
    });
    const peer = await premises.open();
    await until(() => peer.texts.length > 0, 'the greeting arrives');
    assert.match(peer.answer, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    assert.deepEqual(peer.texts, ['"hello"']);
    assert.deepEqual(seen, ['open', true, 1, ['connection.opened'], 'sent']);
    await endPolitely(peer);
  });

  it('A14: an inspect that throws affects neither the socket nor the process', async () => {
    let isBroken = false;
    premises = await Premises.start({
      inspect: () => {
        if (isBroken) throw new Error('no inspection');
      },
    });
    isBroken = true;
    const peer = await premises.open();
    peer.sendClose(1000);
    await premises.service.closedAs({ code: 1000, clean: true, level: 'info' });
  });

  it('A15: RST right behind 101', async () => {
    premises = await Premises.start();
    const peer = await premises.ask();
    peer.socket.once('data', () => peer.reset());
    const { error } = await premises.service.closedAs({
      states: [...opening, ...byError],
      ...lostToNetwork.reset,
    });
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
    await premises.vacant();
  });

  it('I05: FIN right behind the request', async () => {
    premises = await Premises.start();
    const peer = await premises.ask();
    peer.end();
    await premises.service.closedAs({
      states: [...opening, ...byPeer],
      ...lostToNetwork.ended,
    });
    await premises.vacant();
  });

  it('I05: FIN right behind a request that is refused still gets the whole answer', async () => {
    premises = await Premises.start();
    const peer = await premises.connect({ allowHalfOpen: true });
    peer.request({ path: '/elsewhere' });
    peer.end();
    await until(() => peer.closed || peer.ended, 'the request is answered');
    assert.equal(peer.status, 404);
    assert.match(peer.answer, /no WebSocket here$/);
    await premises.service.failedAs({ cause: 'wrong-path', level: 'info' });
    await premises.vacant();
  });
});

describe('around open: silence behind 101', { timeout: 60_000 }, () => {
  const heartbeat = { intervalMs: 60, graceMs: 120 };

  it('A20: the heartbeat finds a client that answers nothing', async () => {
    premises = await Premises.start({ heartbeat });
    const peer = await premises.open();
    await premises.service.closedAs({
      states: [...opening, ...byError],
      ...lostToNetwork.silent,
    });
    await until(() => peer.closed, 'the connection is gone');
    await premises.vacant();
  });

  it('A20: a client that only answers pings may stay idle', async () => {
    premises = await Premises.start({ heartbeat });
    const peer = await premises.open();
    let answered = 0;
    await until(() => {
      for (const { payload } of pingsOf(peer).slice(answered)) {
        peer.send({ opcode: opcode.pong, payload });
        answered += 1;
      }
      return answered >= 5 || peer.closed;
    }, 'five pings are answered');
    assert.equal(peer.closed, false);
    peer.send({ opcode: opcode.close, payload: closePayload(1000) });
    await premises.service.closedAs(politeEnd);
  });
});

function pingsOf(peer: RawPeer) {
  return peer.frames.filter((frame) => frame.opcode === opcode.ping);
}
