import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { messageFrame } from '../../../src/core/frame.ts';
import type { Subject } from './subject.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Sockets and a loop that writes the bytes of a frame to each: the cost of Node.js itself. */
export function bare(): Subject {
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('upgrade', (request, stream) => {
    const socket = stream as Socket;
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`);
    socket.write(
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${accept.digest('base64')}`,
        '\r\n',
      ].join('\r\n'),
    );
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.resume();
  });
  const prepare = preparing();
  const publish = (text: string) => {
    const frame = prepare(text);
    for (const socket of sockets) socket.write(frame);
  };
  return { server, open: () => sockets.size, present: () => sockets.size, publish };
}

/** The frame of a message. The same message gives the same frame. */
function preparing(): (text: string) => Buffer {
  let prepared = { text: '', frame: messageFrame('') };
  return (text) => {
    if (prepared.text !== text) prepared = { text, frame: messageFrame(`"${text}"`) };
    return prepared.frame;
  };
}
