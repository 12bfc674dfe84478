import { WebSocket } from 'ws';
import { type Dialed, errorText, type Log, type Subject, TIMEOUT_MS } from '../subject.ts';
import { attachWs } from './web-socket-events.ts';

export const ws: Subject = {
  name: 'ws',
  setup:
    `\`handshakeTimeout\` and \`closeTimeout\` of ${TIMEOUT_MS} ms. \`send\` gets a callback. It does not ` +
    'reconnect by itself, and leaves pings to the application.',
  endings: ['error', 'close'],
  attach: attachWs,
  dial,
};

/** The published types lack `closeTimeout`. */
const options = { handshakeTimeout: TIMEOUT_MS, closeTimeout: TIMEOUT_MS };

function dial(url: string, log: Log): Dialed {
  const socket = new WebSocket(url, options);
  socket.on('open', () => log('open'));
  socket.on('error', (error) => log('error', errorText(error)));
  socket.on('close', (code, reason) => log('close', `${code} ${reason}`));
  return {
    isOpen: () => socket.readyState === WebSocket.OPEN,
    send: (text) =>
      new Promise((resolve) => {
        socket.send(text, (error) => resolve(error ? `error: ${error.message}` : 'no error'));
      }),
    close: () => socket.close(),
  };
}
