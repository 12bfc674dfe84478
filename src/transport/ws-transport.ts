import type { ClientRequest, IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import type { ClientOptions, WebSocket } from 'ws';
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import {
  type AttemptEvidence,
  describeDialFailure,
  type FailureDescription,
  type FailurePhase,
  phaseOfError,
} from '../core/failure.ts';
import { guarded } from '../core/guard.ts';
import type { Limits } from '../core/limits.ts';
import type { ConnectOptions } from './connect-options.ts';
import { type ConnectAttempt, type ConnectHook, guardedConnect } from './guarded-connect.ts';
import { HttpAnswer } from './http-answer.ts';
import { NodeTransport } from './node-transport.ts';
import type { Reads } from './reads.ts';
import { SupervisedSocket, socketOptions } from './supervised-socket.ts';
import type { DialObserver, DialTarget, OutboundTransport } from './transport.ts';

/** What all attempts of a client share. */
export interface WsTransportContext {
  readonly limits: Readonly<Limits>;
  readonly clock: Clock;
  readonly reads?: Reads | undefined;
}

/** What to dial, and how Node.js connects to it. */
export interface NodeDialTarget extends DialTarget {
  readonly connect?: ConnectOptions;
}

const handshakeEvents = ['upgrade', 'unexpected-response', 'open'] as const;

/** The phase in which an attempt fails, by the function of the application that failed. */
const phaseOfHook = { lookup: 'dns', identity: 'tls', connection: 'config' } as const;

/** A connection that ws dials. Redirects are not followed, and compression is off. */
export class WsTransport extends NodeTransport implements OutboundTransport, ConnectAttempt {
  /** How far the attempt has come. */
  #phase: FailurePhase = 'config';
  readonly turnMs = 0;

  readonly #observer: DialObserver;
  readonly #context: WsTransportContext;
  #socket: SupervisedSocket | null = null;
  /** Whether the attempt has been given up, perhaps by a function of the application while ws began to connect. */
  #isGivenUp = false;
  #request: ClientRequest | null = null;
  #forgetPhases: (() => void) | null = null;
  #progressed: () => void = () => {};
  #answer: HttpAnswer | null = null;
  /** The first error of a function among the connect options. */
  #fault: { readonly hook: ConnectHook; readonly error: Error } | null = null;
  #isUpgraded = false;
  /** Whether the 101 names no subprotocol although some were offered. */
  #isUnmatched = false;

  constructor(observer: DialObserver, context: WsTransportContext) {
    super();
    this.#observer = observer;
    this.#context = context;
  }

  dial({ url, subprotocols, headers = {}, connect = {} }: NodeDialTarget): void {
    const address = new URL(url);
    const options: DialOptions = {
      ...(guardedConnect(connect, this, isSecure(address)) as object),
      ...nameToAskFor(address, connect),
      followRedirects: false,
      headers,
      ...socketOptions(this.#context.limits),
      finishRequest: (request) => {
        this.#phase = firstPhase(address, connect);
        this.#send(request, isSecure(address));
      },
    };
    const socket = new SupervisedSocket(url, [...subprotocols], options);
    this.#socket = socket;
    if (this.#isGivenUp) {
      this.destroy();
      return;
    }
    socket.observer = this.#observer;
    socket.on('upgrade', (response: IncomingMessage) => {
      this.#isUpgraded = true;
      this.#reached('http');
      this.#isUnmatched =
        subprotocols.length > 0 && response.headers['sec-websocket-protocol'] === undefined;
      this.watch(response.socket, this.#observer);
    });
    socket.on('unexpected-response', (_, response) => this.#rejected(response));
    socket.on('open', () => this.#opened(socket));
  }

  later(callback: () => void): void {
    this.#context.clock.afterPoll(callback);
  }

  /** With `rejectUnauthorized: false`, Node.js would go on after a check that failed, so this destroys the request. */
  failed(hook: ConnectHook, error: Error): void {
    this.#fault ??= { hook, error };
    if (hook === 'identity') this.#request?.destroy(error);
  }

  /** Follows how far the request gets, which ws does not report. */
  #send(request: ClientRequest, isOverTls: boolean): void {
    this.#request = request;
    const phases: [event: string, () => void][] = [
      // Not `lookup`: Node.js does not emit it for a name with several addresses.
      ['connectionAttempt', () => this.#reached('tcp')],
      ['connect', () => this.#reached(isOverTls ? 'tls' : 'http')],
      ['secureConnect', () => this.#reached('http')],
    ];
    request.on('socket', (socket) => {
      // The socket of an agent may be connected already.
      if (!(socket.connecting || socket.destroyed))
        this.#reached(isInTlsHandshake(socket) ? 'tls' : 'http');
      for (const [event, reached] of phases) socket.on(event, reached);
      // Not `removeAllListeners`: it turns the listeners of a socket into a hash table, which costs 800 bytes (measured).
      this.#forgetPhases = () => {
        for (const [event, reached] of phases) socket.off(event, reached);
      };
    });
    request.end();
  }

  #reached(phase: FailurePhase): void {
    this.#phase = phase;
  }

  /** ws leaves the request to the listener of this event. The request ends with the attempt. */
  #rejected(response: IncomingMessage): void {
    this.#answer = new HttpAnswer(response, this.#context.clock, () => this.#observer.rejected());
  }

  #opened(socket: SupervisedSocket): void {
    // These events cannot come again, and their listeners would cost 500 bytes per connection (measured).
    for (const event of handshakeEvents) socket.removeAllListeners(event);
    this.#forgetPhases?.();
    this.#forgetPhases = null;
    this.#request = null;
    this.bind(socket, this.#observer, this.#context.reads);
    this.#observer.opened();
  }

  /** Goes through ws, because the frames of a client are masked (RFC 6455 §5.3). */
  protected override writePing(): void {
    this.#socket?.ping();
  }

  watchWrites(progressed: () => void): void {
    this.#progressed = progressed;
  }

  send(payload: string | Uint8Array): Error | null {
    return this.write(() => this.#socket?.send(payload, this.#progressed));
  }

  together(write: () => void): void {
    const { raw } = this;
    raw?.cork();
    write();
    raw?.uncork();
  }

  /** Node.js counts a failed write as done, so nothing is certain after an error. */
  get leftBytes(): number {
    const { raw } = this;
    if (raw === null || raw.destroyed || raw.errored !== null) return Number.NEGATIVE_INFINITY;
    return this.bytesOut - this.bufferedBytes;
  }

  /** Always `false`, because ws itself writes to the socket, and destroys it if it does not accept the handshake. */
  override isTakenAway(): boolean {
    return false;
  }

  /** Does nothing, because this transport can ping. */
  beatHeard(): void {}

  describeFailure(evidence: AttemptEvidence): FailureDescription {
    const { error } = evidence;
    const hook = error !== undefined && this.#fault?.error === error ? this.#fault.hook : undefined;
    if (error !== undefined) {
      describeAttempts(error);
      trimSource(error);
    }
    return describeDialFailure({
      ...evidence,
      phase: hook === undefined ? phaseOfError(error, this.#phase) : phaseOfHook[hook],
      answer: this.#answer?.description,
      isTargetError: evidence.isTargetError || hook === 'connection',
      isUpgraded: this.#isUpgraded,
      isUnmatched: this.#isUnmatched && error !== undefined && /subprotocol/.test(error.message),
    });
  }

  override destroy(): void {
    this.#isGivenUp = true;
    if (this.#socket === null || this.isBound) {
      super.destroy();
      return;
    }
    // Drops the errors that ws reports because of `terminate`.
    this.#socket.observer = null;
    this.#socket.terminate();
  }

  override release(): void {
    this.#isGivenUp = true;
    super.release();
    this.#answer?.stop();
    this.#answer = null;
    this.#request = null;
    this.#socket = null;
  }
}

function isSecure({ protocol }: URL): boolean {
  return /^(wss|https):$/.test(protocol);
}

function hasName({ protocol, hostname }: URL): boolean {
  return protocol !== 'ws+unix:' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
}

/** An agent or `createConnection` may not resolve a name, so their attempts begin with `tcp`. */
function firstPhase(address: URL, { agent, createConnection }: ConnectOptions): FailurePhase {
  return hasName(address) && agent === undefined && createConnection === undefined ? 'dns' : 'tcp';
}

/** Whether a TLS socket has not completed its handshake yet. The published types of Node.js lack the property. */
function isInTlsHandshake(socket: Socket & { readonly secureConnecting?: boolean }): boolean {
  return socket.secureConnecting === true;
}

/** ws sends the host name in TLS (SNI), except where the application makes the connection. */
function nameToAskFor(
  address: URL,
  { createConnection, servername = address.hostname }: ConnectOptions,
): Pick<ConnectOptions, 'servername'> {
  const isDue = createConnection !== undefined && isSecure(address) && hasName(address);
  return isDue ? { servername } : {};
}

/** How many attempts the message of an error lists. */
const ATTEMPTS_MAX = 16;

/** Node.js gives the error of attempts at several addresses an empty message. */
function describeAttempts(error: Error): void {
  if (!(error instanceof AggregateError) || error.message !== '') return;
  // The error may come from the application, with other properties than one of Node.js.
  const describe = () => {
    error.message = error.errors.slice(0, ATTEMPTS_MAX).map(messageOf).join('; ');
  };
  guarded(describe, () => {});
}

/** OpenSSL appends the place in its source, and a line break, to its messages. */
const sourcePlace = /:[\w./-]*\/openssl\/[\w./-]+:\d+:?\n?$/;

function trimSource(error: Error): void {
  const trim = () => {
    if (sourcePlace.test(error.message)) error.message = error.message.replace(sourcePlace, '');
  };
  guarded(trim, () => {});
}

/** An option of ws that its published types lack. */
interface DialOptions extends ClientOptions {
  finishRequest: (request: ClientRequest, socket: WebSocket) => void;
}
