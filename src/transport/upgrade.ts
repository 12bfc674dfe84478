import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import { LINGER_MS } from '../core/limits.ts';
import type { DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';

/** The three arguments of an HTTP server's `upgrade` event. */
export interface Upgrade {
  /** The upgrade request. */
  readonly request: IncomingMessage;
  /** The socket of the request. */
  readonly socket: Socket;
  /** Bytes that arrived after the request. */
  readonly head: Buffer;
}

/** The answer to a client whose admission took too long. */
export const handshakeTimeoutAnswer: RefusalAnswer = {
  cause: 'handshake-timeout',
  status: 503,
  body: 'handshake timed out',
  headers: { 'Retry-After': '1' },
};

/**
 * Refuses an upgrade request with a complete HTTP/1.1 answer, and then destroys the socket.
 *
 * The socket is destroyed when the client has ended its side, after a second at the latest. If the client has sent more,
 * destroying the socket at once would send a reset, and a reset discards the answer before the client has read it.
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
  // The application must not change how the body is framed.
  delete given['transfer-encoding'];
  const type = { 'content-type': 'text/plain; charset=utf-8' };
  const lines = headerLines({ ...type, ...given, ...own });
  const head = lines.map((line) => `${line}\r\n`).join('');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n${head}\r\n${body}`;
}

/** One line of an HTTP head for each value of a header, without the line break. */
export function headerLines(headers: AnswerHeaders): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}`),
  );
}

/** If the names of two headers differ only in case, the later one counts. */
function byLowerName(headers: AnswerHeaders): Record<string, AnswerHeaders[string]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
