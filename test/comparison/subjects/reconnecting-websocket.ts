import imported from 'reconnecting-websocket';
import { type Dialed, type Log, RECONNECT_MS, type Subject, TIMEOUT_MS } from '../subject.ts';
import { attachWs, logEvents, reconnecting } from './web-socket-events.ts';

/** Its types declare a module with a default export. Node.js imports the class itself. */
const ReconnectingWebSocket = imported as unknown as typeof imported.default;

export const reconnectingWebsocket: Subject = {
  name: 'reconnecting-websocket',
  setup:
    `\`WebSocket\` of ws, \`connectionTimeout\` of ${TIMEOUT_MS} ms, \`minReconnectionDelay\` and ` +
    `\`maxReconnectionDelay\` of ${RECONNECT_MS / 1_000} s. It has no heartbeat.`,
  endings: ['error', 'close'],
  attach: attachWs,
  dial,
};

function dial(url: string, log: Log): Dialed {
  const socket = new ReconnectingWebSocket(url, [], reconnecting);
  logEvents(socket, log);
  return {
    isOpen: () => socket.readyState === ReconnectingWebSocket.OPEN,
    send: async (text) => String(socket.send(text)),
    close: () => socket.close(),
  };
}
