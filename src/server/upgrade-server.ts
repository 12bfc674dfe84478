import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { inspect, types } from 'node:util';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Upgrade } from '../transport/upgrade.ts';

/**
 * An HTTP server that `attach` accepts: one of `node:http`, of `node:https`, or of `node:http2` with `allowHTTP1`.
 *
 * A request over HTTP/2 asks for a WebSocket with extended CONNECT (RFC 8441), which Mooring does not serve.
 */
export type UpgradeServer = Server | SecureServer | Http2Server | Http2SecureServer;

/** Whether a request asks for a WebSocket, whatever else it offers (RFC 9110 §7.8). */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return /(?:^|,)\s*websocket\s*(?:,|$)/i.test(headers.upgrade ?? '');
}

/** Decides whether Node.js emits `upgrade` for an upgrade request, or handles it as a plain request. */
type ShouldUpgrade = (this: unknown, request: IncomingMessage) => boolean;

/** Properties of a server that its published types lack. */
interface ServerInside extends EventEmitter {
  /** Node.js 24.9 and newer. */
  shouldUpgradeCallback?: ShouldUpgrade;
}

function ignore(): void {}

/** Adds an error listener to a socket without an owner; otherwise a reset would end the process. */
export function ignoreErrors(socket: EventEmitter): void {
  if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
}

/** Whether a server speaks HTTP/2, which has no upgrades (RFC 9113 §8.6). */
export function isHttp2(server: UpgradeServer): boolean {
  return 'updateSettings' in server;
}

/** Marks listeners of Mooring, for all its copies in the process. */
const kOurs = Symbol.for('mooring.listener');

type Listener = (this: unknown, ...args: never[]) => unknown;

/** Marks a listener as one of Mooring. */
export function ours<L extends Listener>(listener: L): L {
  return Object.assign(listener, { [kOurs]: true });
}

/** The listeners of an event that no copy of Mooring has added. */
export function foreignListeners(server: UpgradeServer, event: string): Listener[] {
  const listeners = (server as EventEmitter).rawListeners(event) as (Listener & {
    listener?: Listener;
  })[];
  return listeners.filter((listener) => !(kOurs in (listener.listener ?? listener)));
}

/** Whether a function is async. Without its promise, it is unknown when it is done. */
function isAsync(listener: Listener): boolean {
  return listener.constructor.name === 'AsyncFunction';
}

/** The result of passing on an event. */
export interface Passed {
  /** The results of the listeners, as far as they are known. */
  readonly results: readonly unknown[];
  /** Whether an async listener whose promise is not known may still work. */
  readonly mayBePending: boolean;
}

/**
 * Replaces the `emit` of one server, to intercept one event.
 *
 * The listeners stay on the server, and {@link UpgradeEmit.passOn} calls them. If other code has replaced `emit` meanwhile, the
 * original cannot be restored: this one then stays below and passes everything on.
 */
export class UpgradeEmit {
  readonly #server: ServerInside;
  readonly #own: EventEmitter['emit'] | undefined;
  readonly #shouldUpgrade: ShouldUpgrade | undefined;
  readonly #take: (args: readonly unknown[], emit: UpgradeEmit) => void;
  #isActive = true;

  /** @param take - receives the arguments of each `upgrade` event. */
  constructor(server: UpgradeServer, take: (args: readonly unknown[], emit: UpgradeEmit) => void) {
    this.#server = server as ServerInside;
    this.#take = take;
    this.#own = Object.hasOwn(server, 'emit') ? this.#server.emit : undefined;
    this.#server.emit = this.#emit;
    this.#shouldUpgrade = this.#server.shouldUpgradeCallback;
    if (this.#shouldUpgrade !== undefined) this.#server.shouldUpgradeCallback = this.#mayUpgrade;
  }

  /** Restores `emit`. */
  release(): void {
    this.#isActive = false;
    const server = this.#server;
    if (server.emit === this.#emit) {
      if (this.#own === undefined) Reflect.deleteProperty(server, 'emit');
      else server.emit = this.#own;
    }
    if (this.#shouldUpgrade !== undefined && server.shouldUpgradeCallback === this.#mayUpgrade) {
      server.shouldUpgradeCallback = this.#shouldUpgrade;
    }
  }

  /** Passes the event to the listeners. */
  passOn(args: readonly unknown[]): Passed {
    const listeners = this.#server.rawListeners('upgrade') as Listener[];
    const below = this.#below;
    if (below === EventEmitter.prototype.emit) {
      const results = listeners.map((listener) => listener.apply(this.#server, args as never[]));
      return { results, mayBePending: false };
    }
    // Other code replaced `emit` first and must see the event. The results of the listeners are then lost.
    below.call(this.#server, 'upgrade', ...args);
    return { results: [], mayBePending: listeners.some(isAsync) };
  }

  /** The `emit` that this one replaces. It is looked up each time, because prototypes may be patched later. */
  get #below(): EventEmitter['emit'] {
    return this.#own ?? Object.getPrototypeOf(this.#server).emit;
  }

  readonly #emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event !== 'upgrade' || !this.#isActive)
      return this.#below.call(this.#server, event, ...args);
    this.#take(args, this);
    return true;
  };

  /** Calls the callback of the server. For upgrades other than WebSocket, the callback does not see listeners of Mooring. */
  readonly #mayUpgrade: ShouldUpgrade = (request) => {
    const server = this.#server;
    if (!this.#isActive || asksForWebSocket(request))
      return this.#shouldUpgrade?.call(server, request) === true;
    const withoutOurs = Object.create(server, {
      listenerCount: {
        value: (event: string) =>
          foreignListeners(server as unknown as UpgradeServer, event).length,
      },
    });
    return this.#shouldUpgrade?.call(withoutOurs, request) === true;
  };
}

/** How many header names and values Node.js keeps by default, if `server.maxHeadersCount` is not set. */
const HEADER_LINES_MAX = 2_000;

/** How long the responses to earlier requests may take, in milliseconds. */
const RESPONSES_MS = 30_000;

/** The response that a socket is sending. There is no public API for it. */
function responseOn(socket: Socket): ServerResponse | null {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? null;
}

/**
 * Calls `proceed` when the responses to earlier requests on this socket have left.
 *
 * A client may pipeline requests (RFC 9112 §9.3.2), and Node.js emits `upgrade` without waiting for earlier responses.
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
    // While this response emits `finish`, the next one takes its place.
    if (response !== null) response.once('finish', look);
    else {
      systemClock.clearTimer(late);
      // The last response ended the socket with `Connection: close`, or the client has left.
      if (socket.writableEnded || socket.readableEnded) socket.destroy();
      if (!socket.destroyed) proceed();
    }
  };
  look();
}

/**
 * Returns a request to the HTTP server, which handles it as if it had not asked for an upgrade.
 *
 * The server receives the socket a second time: `connection` or `secureConnection` is emitted again. The server has not read
 * the body yet.
 *
 * @returns `false` for a request with so many headers that Node.js may have dropped some. It then does nothing: without
 *   `Content-Length`, the body would be read as the next request.
 */
export function putBack(server: UpgradeServer, { request, socket, head }: Upgrade): boolean {
  if (request.rawHeaders.length >= headerLinesMax(server)) return false;
  socket.unshift(Buffer.concat([Buffer.from(headOf(request), 'latin1'), head]));
  // A plain server that gets TLS sockets from other code has no listener for `secureConnection`.
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

/** How long an upgrade request may wait for a sign that a listener handles it, in milliseconds. */
const UNTOUCHED_MS = 2_000;
/** How long it may wait for the first byte of an answer, in milliseconds. */
const UNANSWERED_MS = 30_000;

/** Whether it is a promise that has not settled. It does not call `then`, which would count as handling a rejection. */
function isPending(result: unknown): boolean {
  const options = { depth: 0, customInspect: false };
  return types.isPromise(result) && inspect(result, options).includes('<pending>');
}

/** The listeners of a socket, counted over all events. */
function listenersOf(socket: Socket): number {
  return socket.eventNames().reduce((sum, event) => sum + socket.listenerCount(event), 0);
}

/**
 * Watches an upgrade request that no supervisor serves while other listeners may handle it.
 *
 * Node.js releases the socket when it emits `upgrade`: a reset without an error listener ends the process, and nothing ends a
 * socket that no listener handles.
 */
export class UnservedUpgrade {
  readonly #request: IncomingMessage;
  readonly #socket: Socket;
  readonly #refuse: () => void;
  readonly #clock: Clock;
  readonly #listeners: number;
  readonly #requestKeys: number;
  readonly #writtenBytes: number;
  #results: readonly unknown[] = [];
  #mayBePending = false;

  /** @param refuse - answers and closes the socket. */
  constructor({ request, socket }: Upgrade, refuse: () => void, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#request = request;
    this.#socket = socket;
    this.#refuse = refuse;
    ignoreErrors(socket);
    this.#listeners = listenersOf(socket);
    this.#requestKeys = Reflect.ownKeys(request).length;
    this.#writtenBytes = socket.bytesWritten;
    clock.setTimer(UNTOUCHED_MS, () => this.#look());
  }

  /** Async listeners may handle the request until they settle. */
  wasPassedOn({ results, mayBePending }: Passed): void {
    this.#results = results;
    this.#mayBePending = mayBePending;
  }

  /** Called when `otherwise` threw. */
  failed(): void {
    if (this.#isAnswered) this.#socket.destroy();
    else if (!this.#socket.destroyed) this.#refuse();
  }

  /** A stream that a test tool injects counts no bytes. It counts as answered. */
  get #isAnswered(): boolean {
    const { bytesWritten, writableEnded } = this.#socket;
    return writableEnded || !(bytesWritten <= this.#writtenBytes);
  }

  /** Whether other code reads the socket or listens to it. */
  get #isAttended(): boolean {
    return this.#socket.readableFlowing !== null || listenersOf(this.#socket) > this.#listeners;
  }

  /** Whether the socket was ended and no code reads it, so that nothing notices when the client leaves. */
  get #isAbandoned(): boolean {
    return this.#socket.writableFinished && this.#socket.readableFlowing === null;
  }

  /** Properties of the request count, because socket.io and fastify set some before they touch the socket. */
  get #isTouched(): boolean {
    const isNoted = Reflect.ownKeys(this.#request).length > this.#requestKeys;
    const mayBePending = this.#mayBePending || this.#results.some(isPending);
    return mayBePending || this.#isAnswered || this.#isAttended || isNoted;
  }

  #look(): void {
    if (this.#socket.destroyed) return;
    if (this.#isAbandoned) this.#socket.destroy();
    else if (!this.#isTouched) this.#refuse();
    else this.#clock.setTimer(UNANSWERED_MS - UNTOUCHED_MS, () => this.#lookAgain());
  }

  /** A listener that has answered and still reads or listens owns the socket. Otherwise an answered request is over by now. */
  #lookAgain(): void {
    if (this.#socket.destroyed) return;
    if (!this.#isAnswered) this.#refuse();
    else if (this.#isAbandoned || !this.#isAttended) this.#socket.destroy();
  }
}
