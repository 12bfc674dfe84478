import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as SecureServer } from 'node:https';

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
