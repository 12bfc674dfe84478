import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Socket } from 'node:net';
import type { RefusalAnswer } from '../core/failure.ts';
import type { DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';

/** How long a refused client may take to read its answer and leave, in milliseconds. */
const LINGER_MS = 1_000;

/** What a client hears whose admission took too long. */
export const handshakeTimeoutAnswer: RefusalAnswer = {
  cause: 'handshake-timeout',
  status: 503,
  body: 'handshake timed out',
  headers: { 'Retry-After': '1' },
};

/**
 * Refuses an upgrade request with a complete HTTP/1.1 answer and lets the socket go.
 *
 * The socket is destroyed when the client has ended its side, at the latest after a second. Destroying it
 * at once would answer with a reset when the client had already sent something, and a reset takes the
 * answer away from a client that has not read it yet.
 */
export function answerAndLetGo(socket: Socket, answer: RefusalAnswer, wheel: TimerWheel): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const lingering: DeadlineOwner = { deadlinePassed: () => socket.destroy() };
  const deadline = wheel.schedule(LINGER_MS, lingering, 'linger');
  socket.once('end', () => socket.destroy());
  socket.once('close', () => wheel.cancel(deadline));
  socket.end(httpAnswer(answer));
  socket.resume();
}

function httpAnswer({ status, body, headers = {} }: RefusalAnswer): string {
  const lines = new Map([['content-type', 'text/plain; charset=utf-8']]);
  for (const [name, value] of Object.entries(headers)) addHeader(lines, name, value);
  // What frames the answer is ours alone to say, whatever the application put into its refusal.
  lines.delete('transfer-encoding');
  lines.set('connection', status === 426 ? 'close, upgrade' : 'close');
  lines.set('content-length', String(Buffer.byteLength(body)));
  const head = [...lines].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n${head}\r\n${body}`;
}

/** Leaves out what is no header (RFC 9110 §5): it could end the head or begin another header. */
function addHeader(lines: Map<string, string>, name: string, value: unknown): void {
  try {
    const text = String(value);
    validateHeaderName(name);
    validateHeaderValue(name, text);
    if (value !== undefined && value !== null) lines.set(name.toLowerCase(), text);
  } catch {
    // A refusal must reach the client even when one of its headers cannot.
  }
}
