import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { systemClock } from '../core/clock.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import { ignoreErrors, type UpgradeServer } from './upgrade-server.ts';

/** What Node.js keeps where `server.maxHeadersCount` is not set, names and values counted together. */
const HEADER_LINES_MAX = 2_000;

/** How long the responses to earlier requests may take, in milliseconds. */
const RESPONSES_MS = 30_000;

/** The response that a socket is busy with. Nothing public names it. */
function responseOn(socket: Socket): ServerResponse | null {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? null;
}

/**
 * Calls `proceed` when the responses to earlier requests on this socket have left.
 *
 * A client may pipeline requests (RFC 9112 §9.3.2); Node.js emits `upgrade` without waiting for the answers to those before.
 */
export function afterResponses(socket: Socket, proceed: () => void): void {
  if (responseOn(socket) === null) {
    proceed();
    return;
  }
  ignoreErrors(socket);
  const late = systemClock.setTimer(RESPONSES_MS, () => socket.destroy());
  const look = () => {
    const response = responseOn(socket);
    // The next response takes its place while this one emits `finish`.
    if (response !== null) response.once('finish', look);
    else {
      systemClock.clearTimer(late);
      // With `Connection: close` the last answer ends it; a client that has left wants no other.
      if (socket.writableEnded || socket.readableEnded) socket.destroy();
      if (!socket.destroyed) proceed();
    }
  };
  look();
}

/**
 * Gives a request back to the HTTP server, to be handled as if it had not asked for an upgrade.
 *
 * The server sees the socket a second time: `connection`, or `secureConnection`, is emitted again. The body, and
 * whatever follows it, is still to be read.
 *
 * @returns `false`, and does nothing, for a request with so many headers that Node.js may have left some out: without its
 *   length a body would be read as the next request.
 */
export function putBack(server: UpgradeServer, { request, socket, head }: Upgrade): boolean {
  if (request.rawHeaders.length >= headerLinesMax(server)) return false;
  socket.unshift(Buffer.concat([Buffer.from(headOf(request), 'latin1'), head]));
  // A server that somebody hands TLS sockets to, as plain connections, has no listener for secure ones.
  const isSecure = 'encrypted' in socket && server.listenerCount('secureConnection') > 0;
  server.emit(isSecure ? 'secureConnection' : 'connection', socket);
  return true;
}

/** Names and values that Node.js keeps of a request, counted together. */
function headerLinesMax(server: UpgradeServer): number {
  const { maxHeadersCount = null } = server as Server;
  if (maxHeadersCount === null) return HEADER_LINES_MAX;
  return maxHeadersCount === 0 ? Number.POSITIVE_INFINITY : 2 * maxHeadersCount;
}

/** The request line and the headers without those that ask for the upgrade. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = withoutUpgrade(name.toLowerCase(), rawHeaders[index + 1] ?? '');
    if (value !== null) lines.push(`${name}: ${value}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** The value of a header without what asks for the upgrade; `null` when nothing is left of it. */
function withoutUpgrade(name: string, value: string): string | null {
  if (name === 'upgrade') return null;
  if (name !== 'connection') return value;
  const options = value.split(',').map((option) => option.trim());
  return options.filter((option) => option.toLowerCase() !== 'upgrade').join(', ') || null;
}
