// Goal: a version of ws that changes what Mooring relies on fails here, by name. Method: a real receiver of ws with
// real frames, and the fields that `src/transport/ws-receiver.ts` names.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { SupervisedSocket } from '../../src/transport/supervised-socket.ts';
import { internalsOf, returnUnread, type WsReceiver } from '../../src/transport/ws-receiver.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { Receiving, Reception } from '../support/receiving.ts';
import { turns } from '../support/until.ts';

interface Opened {
  readonly socket: WebSocket & { _receiver: WsReceiver; _socket: Socket };
  readonly far: Socket;
  end(): void;
}

/** A WebSocket of ws in the role of a server, without a handshake. */
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
  `ws has changed ${name}: see src/transport/ws-receiver.ts, which relies on it to pause within a read`;

describe('the private fields of ws that pausing relies on', () => {
  it('have the names and types that Mooring expects', async () => {
    const { socket, end } = await open();
    const { _receiver: receiver } = socket;
    assert.equal(typeof receiver, 'object', fault('_receiver'));
    assert.equal(typeof receiver._loop, 'boolean', fault('_loop'));
    assert.equal(typeof receiver._bufferedBytes, 'number', fault('_bufferedBytes'));
    assert.equal(typeof receiver.consume, 'function', fault('consume()'));
    assert.equal(typeof receiver.haveLength, 'function', fault('haveLength()'));
    assert.equal(typeof receiver.controlMessage, 'function', fault('controlMessage()'));
    assert.equal(typeof socket._socket.unshift, 'function', fault('_socket'));
    end();
  });

  it('hold, while a message is emitted, the rest of the read, which can be taken out', async () => {
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

  it('stay untouched between reads: an unfinished frame remains where it is', async () => {
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

const fieldTypes = {
  _state: 'number',
  _errored: 'boolean',
  _buffers: 'array',
  _bufferedBytes: 'number',
  _maxBufferedChunks: 'number',
  _mask: 'undefined',
  _fragmented: 'number',
  _fragments: 'array',
  _messageLength: 'number',
};

const changed = (what: string) => `ws has changed ${what}: see src/transport/ws-receiver.ts`;
const typeOf = (value: unknown) => (Array.isArray(value) ? 'array' : typeof value);

describe('the private fields of ws that a reassembly relies on', () => {
  const line = () => new Receiving(new Reception());

  it('exist, each of its type', () => {
    const { receiver } = line();
    for (const [name, type] of Object.entries(fieldTypes)) {
      assert.ok(name in receiver, changed(name));
      assert.equal(typeOf(receiver[name as keyof typeof fieldTypes]), type, changed(name));
    }
  });

  it('lead from a WebSocket to its receiver and its raw socket', () => {
    const { socket, raw, receiver } = line();
    assert.equal(internalsOf(socket)._socket, raw, changed('_socket'));
    assert.equal(typeof receiver.write, 'function', changed('_receiver'));
  });

  it('are written to by `write` of the receiver for each read of the raw socket', async () => {
    const { raw, receiver } = line();
    const writes: unknown[] = [];
    receiver.write = (chunk: unknown) => writes.push(chunk) > 0;
    raw.push('abc');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(writes, [Buffer.from('abc')], changed('how it reads'));
  });

  it('show the bytes that are held of an incomplete frame', () => {
    const { receiver } = line();
    const frame = buildFrame({ opcode: opcode.text, payload: 'x'.repeat(100) });
    receiver.write(frame.subarray(0, 1));
    assert.deepEqual([receiver._state, receiver._bufferedBytes], [0, 1], changed('_bufferedBytes'));
    receiver.write(frame.subarray(1, 6));
    assert.deepEqual(receiver._mask, frame.subarray(2, 6), changed('_mask'));
    assert.notEqual(receiver._state, 0, changed('_state'));
    receiver.write(frame.subarray(6, 50));
    receiver.write(frame.subarray(50, 90));
    assert.equal(Buffer.concat(receiver._buffers).length, 84, changed('_buffers'));
    assert.equal(receiver._bufferedBytes, 84, changed('_bufferedBytes'));
    receiver.write(frame.subarray(90));
    assert.deepEqual(
      [receiver._state, receiver._bufferedBytes, receiver._buffers, receiver._mask],
      [0, 0, [], undefined],
      changed('the fields that hold a complete frame'),
    );
  });

  it('show the bytes that are held of an incomplete message', () => {
    const { receiver, messages } = line();
    receiver.write(buildFrame({ opcode: opcode.text, payload: 'ab', fin: false }));
    receiver.write(buildFrame({ opcode: opcode.ping }));
    receiver.write(buildFrame({ opcode: opcode.continuation, payload: 'cde', fin: false }));
    assert.equal(receiver._fragmented, opcode.text, changed('_fragmented'));
    assert.equal(Buffer.concat(receiver._fragments).toString(), 'abcde', changed('_fragments'));
    assert.equal(receiver._messageLength, 5, changed('_messageLength'));
    receiver.write(buildFrame({ opcode: opcode.continuation }));
    assert.deepEqual(
      [receiver._fragmented, receiver._fragments, receiver._messageLength, messages],
      [0, [], 0, ['abcde']],
      changed('the fields that hold a complete message'),
    );
  });

  it('are read again by ws after they were set', () => {
    const { receiver, messages } = line();
    const frame = buildFrame({ opcode: opcode.text, payload: 'hello', fin: false });
    receiver.write(frame.subarray(0, 8));
    receiver._buffers = receiver._buffers.map((chunk) => Buffer.from(chunk));
    receiver._mask = Buffer.from(receiver._mask ?? []);
    receiver.write(frame.subarray(8));
    receiver._fragments = [Buffer.from('he'), Buffer.from('llo')];
    receiver.write(buildFrame({ opcode: opcode.continuation, payload: '!' }));
    assert.deepEqual(messages, ['hello!'], changed('how it puts messages together'));
  });

  it('make ws report a fault when there are more chunks than the limit that was set', () => {
    const { receiver } = line();
    const frame = buildFrame({ opcode: opcode.text, payload: 'x'.repeat(100) });
    receiver.write(frame.subarray(0, 10));
    receiver._maxBufferedChunks = 1;
    receiver.write(frame.subarray(10, 20));
    assert.equal(receiver._errored, true, changed('_maxBufferedChunks'));
  });

  it('show that a fault was found', () => {
    const { receiver } = line();
    receiver.write(buildFrame({ opcode: 3 }));
    assert.equal(receiver._errored, true, changed('_errored'));
  });
});
