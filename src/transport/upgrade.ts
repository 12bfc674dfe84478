import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import { LINGER_MS } from '../core/limits.ts';
import type { DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';

/** The three arguments of an HTTP server's `upgrade` event. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Bytes that arrived behind the request. */
  readonly head: Buffer;
}

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
  const own = {
    connection: status === 426 ? 'close, upgrade' : 'close',
    'content-length': Buffer.byteLength(body),
  };
  const given = byLowerName(headers);
  // What frames the answer is ours alone to say, whatever the application put into its refusal.
  delete given['transfer-encoding'];
  const type = { 'content-type': 'text/plain; charset=utf-8' };
  const lines = headerLines({ ...type, ...given, ...own });
  const head = lines.map((line) => `${line}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n${head}\r\n${body}`;
}

/** One line of an HTTP head for each header, without its end. */
export function headerLines(headers: AnswerHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}`),
  );
}

/** Of two headers whose names differ in case alone, the later one counts. */
function byLowerName(headers: AnswerHeaders): Record<string, AnswerHeaders[string]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
