import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import {
  type Dialed,
  errorText,
  HEARTBEAT_MS,
  type Log,
  RECONNECT_MS,
  type Subject,
  TIMEOUT_MS,
} from '../subject.ts';

export const socketIoClient: Subject = {
  name: 'socket.io-client',
  setup:
    `\`transports: ['websocket']\`, \`timeout\` of ${TIMEOUT_MS} ms, \`reconnectionDelay\` of ` +
    `${RECONNECT_MS / 1_000} s. The events are those of the \`Socket\`. If a handshake has to complete, the ` +
    `peer is a socket.io server with \`pingInterval\` and \`pingTimeout\` of ${HEARTBEAT_MS} ms.`,
  endings: ['connect_error', 'disconnect'],
  attach(server) {
    const heartbeat = { pingInterval: HEARTBEAT_MS, pingTimeout: HEARTBEAT_MS };
    new Server(server, { transports: ['websocket'], serveClient: false, ...heartbeat });
  },
  dial,
};

function dial(url: string, log: Log): Dialed {
  const socket = io(url, {
    forceNew: true,
    transports: ['websocket'],
    timeout: TIMEOUT_MS,
    reconnectionDelay: RECONNECT_MS,
    reconnectionDelayMax: RECONNECT_MS,
  });
  socket.on('connect', () => log('connect'));
  socket.on('connect_error', (error) => log('connect_error', explained(error.message, error)));
  socket.on('disconnect', (reason, details) => log('disconnect', explained(reason, details)));
  return {
    isOpen: () => socket.connected,
    send: async (text) => (socket.send(text) === socket ? 'the socket itself' : 'something else'),
    close: () => void socket.close(),
  };
}

/** The reason, and the text of the error that comes with it. */
function explained(reason: string, details: object | undefined): string {
  const { description } = (details ?? {}) as { description?: unknown };
  const { error = description } = (description ?? {}) as { error?: unknown };
  const isError = error instanceof Error;
  return isError ? `${reason} (${errorText(error)})` : reason;
}
