// Goal: a version of ws that changes what Mooring uses of it is noticed here, by name. Method: a real receiver of ws, fed
// with real frames, and the fields that `src/connection/ws-receiver.ts` names.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { SupervisedSocket } from '../../src/connection/socket.ts';
import { returnUnread, type WsReceiver } from '../../src/connection/ws-receiver.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { turns } from '../support/until.ts';

interface Opened {
  readonly socket: WebSocket & { _receiver: WsReceiver; _socket: Socket };
  readonly far: Socket;
  end(): void;
}

/** A WebSocket of ws as a server makes it, without a handshake. */
async function open(): Promise<Opened> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  server.close();
  type ServerSide = new (address: null, protocols: undefined, options: object) => WebSocket;
  const socket = new (SupervisedSocket as unknown as ServerSide)(null, undefined, {});
  (socket as unknown as { setSocket(raw: Socket, head: Buffer, options: object): void }).setSocket(
    near,
    Buffer.alloc(0),
    { allowSynchronousEvents: true, maxPayload: 1_000 },
  );
  const end = () => {
    near.destroy();
    far.destroy();
  };
  return { socket: socket as Opened['socket'], far, end };
}

const text = (payload: string) => buildFrame({ opcode: opcode.text, payload });
const fault = (name: string) =>
  `ws has changed ${name}: see src/connection/ws-receiver.ts, which relies on it to pause within a read`;

describe('the private fields of ws that pausing relies on', () => {
  it('have the names and types that Mooring expects', async () => {
    const { socket, end } = await open();
    const { _receiver: receiver } = socket;
    assert.equal(typeof receiver, 'object', fault('_receiver'));
    assert.equal(typeof receiver._loop, 'boolean', fault('_loop'));
    assert.equal(typeof receiver._bufferedBytes, 'number', fault('_bufferedBytes'));
    assert.equal(typeof receiver.consume, 'function', fault('consume()'));
    assert.equal(typeof socket._socket.unshift, 'function', fault('_socket'));
    end();
  });

  it('tell, while a message is emitted, of the rest of the read, which can be taken out', async () => {
    const { socket, far, end } = await open();
    const { _receiver: receiver, _socket: raw } = socket;
    const third = text('three');
    const rest = Buffer.concat([text('two'), third.subarray(0, 5)]);
    const seen: string[] = [];
    socket.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event !== 'message') return true;
      seen.push(String(args[0]));
      if (seen.length > 1) return true;
      assert.equal(receiver._loop, true, fault('_loop'));
      assert.equal(receiver._bufferedBytes, rest.length, fault('_bufferedBytes'));
      WebSocket.prototype.pause.call(socket);
      returnUnread(socket);
      assert.equal(receiver._bufferedBytes, 0, fault('consume()'));
      assert.equal(raw.readableLength, rest.length, fault('_socket'));
      return true;
    };
    far.write(Buffer.concat([text('one'), rest]));
    await once(raw, 'pause');
    await turns(3);
    assert.deepEqual(seen, ['one'], fault('the loop of its receiver'));
    assert.equal(receiver._loop, false, fault('_loop'));
    far.write(third.subarray(5));
    socket.resume();
    while (seen.length < 3) await turns(1);
    assert.deepEqual(seen, ['one', 'two', 'three']);
    end();
  });

  it('are left alone between reads: an unfinished frame stays where it is', async () => {
    const { socket, far, end } = await open();
    const { _receiver: receiver, _socket: raw } = socket;
    far.write(text('unfinished').subarray(0, 9));
    while (receiver._bufferedBytes === 0) await turns(1);
    socket.pause();
    assert.ok(receiver._bufferedBytes > 0);
    assert.equal(raw.readableLength, 0);
    end();
  });
});
