import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { inspect, types } from 'node:util';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Upgrade } from '../transport/upgrade.ts';

/**
 * An HTTP server that `attach` takes: of `node:http`, of `node:https`, or of `node:http2` with `allowHTTP1`.
 *
 * A request over HTTP/2 asks for a WebSocket with extended CONNECT (RFC 8441), which Mooring does not serve.
 */
export type UpgradeServer = Server | SecureServer | Http2Server | Http2SecureServer;

/** Whether a request asks for a WebSocket, whatever else it offers (RFC 9110 §7.8). */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return /(?:^|,)\s*websocket\s*(?:,|$)/i.test(headers.upgrade ?? '');
}

/** Decides whether Node.js emits `upgrade` for a request that asks for one, or handles it as a plain one. */
type ShouldUpgrade = (this: unknown, request: IncomingMessage) => boolean;

/** What servers have that their published types do not tell. */
interface ServerInside extends EventEmitter {
  /** Node.js 24.9 and newer. */
  shouldUpgradeCallback?: ShouldUpgrade;
}

function ignore(): void {}

/** Adds an error listener to a socket that nobody owns yet: without one, a reset would end the process. */
export function ignoreErrors(socket: EventEmitter): void {
  if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
}

/** Whether a server speaks HTTP/2; over HTTP/2 there are no upgrades (RFC 9113 §8.6). */
export function isHttp2(server: UpgradeServer): boolean {
  return 'updateSettings' in server;
}

/** Marks the listeners of every copy of Mooring in the process. */
const kOurs = Symbol.for('mooring.listener');

type Listener = (this: unknown, ...args: never[]) => unknown;

/** Marks a listener as one of ours. */
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

/** Whether a function is async, so that nobody knows when it is done who does not get its promise. */
function isAsync(listener: Listener): boolean {
  return listener.constructor.name === 'AsyncFunction';
}

/** What became of an event that was passed on. */
export interface Passed {
  /** What the listeners returned, as far as it is known. */
  readonly results: readonly unknown[];
  /** Whether an async listener may be at work whose promise is not known. */
  readonly mayBePending: boolean;
}

/**
 * The `emit` of one server, taken over for one event.
 *
 * The listeners stay as they are; they are called by {@link UpgradeEmit.passOn}. When `emit` has been replaced by somebody else
 * meanwhile, it cannot be given back: then this one stays below and does nothing.
 */
export class UpgradeEmit {
  readonly #server: ServerInside;
  readonly #own: EventEmitter['emit'] | undefined;
  readonly #shouldUpgrade: ShouldUpgrade | undefined;
  readonly #take: (args: readonly unknown[], emit: UpgradeEmit) => void;
  #isActive = true;

  /** @param take - gets the arguments of each `upgrade` event. */
  constructor(server: UpgradeServer, take: (args: readonly unknown[], emit: UpgradeEmit) => void) {
    this.#server = server as ServerInside;
    this.#take = take;
    this.#own = Object.hasOwn(server, 'emit') ? this.#server.emit : undefined;
    this.#server.emit = this.#emit;
    this.#shouldUpgrade = this.#server.shouldUpgradeCallback;
    if (this.#shouldUpgrade !== undefined) this.#server.shouldUpgradeCallback = this.#mayUpgrade;
  }

  /** Gives `emit` back. */
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

  /** Lets the listeners have the event. */
  passOn(args: readonly unknown[]): Passed {
    const listeners = this.#server.rawListeners('upgrade') as Listener[];
    const below = this.#below;
    if (below === EventEmitter.prototype.emit) {
      const results = listeners.map((listener) => listener.apply(this.#server, args as never[]));
      return { results, mayBePending: false };
    }
    // Somebody replaced `emit` before us and must see the event; what the listeners return is lost on the way.
    below.call(this.#server, 'upgrade', ...args);
    return { results: [], mayBePending: listeners.some(isAsync) };
  }

  /** The `emit` that this one has taken the place of; looked up each time, because prototypes are patched, too. */
  get #below(): EventEmitter['emit'] {
    return this.#own ?? Object.getPrototypeOf(this.#server).emit;
  }

  readonly #emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event !== 'upgrade' || !this.#isActive)
      return this.#below.call(this.#server, event, ...args);
    this.#take(args, this);
    return true;
  };

  /** The host's answer stands; what is asked about the listeners is answered without ours. */
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

/** How long an upgrade request may wait without a sign that somebody handles it, in milliseconds. */
const UNTOUCHED_MS = 2_000;
/** How long it may take altogether until the first byte of an answer, in milliseconds. */
const UNANSWERED_MS = 30_000;

/** Whether it is a promise that has not settled. Not asked with `then`, which would hide that nobody handles its rejection. */
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
 * Node.js lets go of the socket when it emits `upgrade`: a reset without an error listener ends the process, and
 * nothing ends a socket that no listener handles.
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

  /** What was to handle the request has failed. */
  failed(): void {
    if (this.#isAnswered) this.#socket.destroy();
    else if (!this.#socket.destroyed) this.#refuse();
  }

  /** A stream that a test tool injects counts no bytes: it is never answered from here. */
  get #isAnswered(): boolean {
    const { bytesWritten, writableEnded } = this.#socket;
    return writableEnded || !(bytesWritten <= this.#writtenBytes);
  }

  /** Whether somebody reads the socket or listens to it. */
  get #isAttended(): boolean {
    return this.#socket.readableFlowing !== null || listenersOf(this.#socket) > this.#listeners;
  }

  /** Whether somebody ended it and does not read it: then nobody notices when the client leaves. */
  get #isAbandoned(): boolean {
    return this.#socket.writableFinished && this.#socket.readableFlowing === null;
  }

  /** socket.io and fastify note on the request that they handle it, before they touch the socket. */
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

  /** A listener that answered and attends to the socket owns it. An answer that nobody attends to is over by now. */
  #lookAgain(): void {
    if (this.#socket.destroyed) return;
    if (!this.#isAnswered) this.#refuse();
    else if (this.#isAbandoned || !this.#isAttended) this.#socket.destroy();
  }
}
