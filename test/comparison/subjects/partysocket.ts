import ReconnectingWebSocket from 'partysocket/ws';
import { type Dialed, type Log, RECONNECT_MS, type Subject, TIMEOUT_MS } from '../subject.ts';
import { attachWs, logEvents, reconnecting } from './web-socket-events.ts';

export const partysocket: Subject = {
  name: 'partysocket',
  setup:
    `\`partysocket/ws\` with the \`WebSocket\` of ws, \`connectionTimeout\` of ${TIMEOUT_MS} ms, ` +
    `\`minReconnectionDelay\` and \`maxReconnectionDelay\` of ${RECONNECT_MS / 1_000} s. It has no heartbeat.`,
  endings: ['error', 'close'],
  attach: attachWs,
  dial,
};

function dial(url: string, log: Log): Dialed {
  const socket = new ReconnectingWebSocket(url, [], reconnecting);
  logEvents(socket, log);
  return {
    isOpen: () => socket.readyState === ReconnectingWebSocket.OPEN,
    send: async (text) => warned(() => socket.send(text)),
    close: () => socket.close(),
  };
}

/** It reports some results of a message on the console. */
function warned(send: () => boolean): string {
  const { warn } = console;
  let warnings = '';
  console.warn = () => {
    warnings = ', and a console warning';
  };
  try {
    return send() + warnings;
  } finally {
    console.warn = warn;
  }
}
