import type { ClientRequest, IncomingMessage } from 'node:http';
import { isIP, type TcpSocketConnectOpts } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
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
import type { Limits } from '../core/limits.ts';
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

const handshakeEvents = ['upgrade', 'unexpected-response', 'open'] as const;

/** A connection that ws dials. Redirects are not followed, compression is off. */
export class WsTransport extends NodeTransport implements OutboundTransport {
  /** How far it has come. */
  #phase: FailurePhase = 'config';
  readonly turnMs = 0;

  readonly #observer: DialObserver;
  readonly #context: WsTransportContext;
  readonly #connect: ConnectOptions;
  #socket: SupervisedSocket | null = null;
  #forgetPhases: (() => void) | null = null;
  #progressed: () => void = () => {};
  #answer: HttpAnswer | null = null;
  /** Whether the 101 names no subprotocol although some were offered. */
  #isUnmatched = false;

  constructor(observer: DialObserver, context: WsTransportContext, connect: ConnectOptions) {
    super();
    this.#observer = observer;
    this.#context = context;
    this.#connect = connect;
  }

  dial({ url, subprotocols, headers = {} }: DialTarget): void {
    const options: DialOptions = {
      ...this.#connect,
      followRedirects: false,
      headers,
      ...socketOptions(this.#context.limits),
      finishRequest: (request) => this.#send(request, new URL(url)),
    };
    const socket = new SupervisedSocket(url, [...subprotocols], options);
    this.#socket = socket;
    socket.observer = this.#observer;
    socket.on('upgrade', (response: IncomingMessage) => {
      this.#isUnmatched =
        subprotocols.length > 0 && response.headers['sec-websocket-protocol'] === undefined;
      this.watch(response.socket, this.#observer);
    });
    socket.on('unexpected-response', (_, response) => this.#rejected(response));
    socket.on('open', () => this.#opened(socket));
  }

  /** Follows how far the request gets, which ws does not report. */
  #send(request: ClientRequest, { protocol, hostname }: URL): void {
    const isName = protocol !== 'ws+unix:' && isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
    this.#phase = isName ? 'dns' : 'tcp';
    const isSecure = /^(wss|https):$/.test(protocol);
    const phases: [event: string, () => void][] = [
      // Not `lookup`: Node.js does not emit it for a name with several addresses.
      ['connectionAttempt', () => this.#reached('tcp')],
      ['connect', () => this.#reached(isSecure ? 'tls' : 'http')],
      ['secureConnect', () => this.#reached('http')],
    ];
    request.on('socket', (socket) => {
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

  /** ws leaves the request to its listener. The request ends with the attempt. */
  #rejected(response: IncomingMessage): void {
    this.#answer = new HttpAnswer(response, this.#context.clock, () => this.#observer.rejected());
  }

  #opened(socket: SupervisedSocket): void {
    // These events cannot come any more, and their listeners would cost 500 bytes per connection (measured).
    for (const event of handshakeEvents) socket.removeAllListeners(event);
    this.#forgetPhases?.();
    this.#forgetPhases = null;
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

  /** A failed write counts as done in Node.js, so after an error nothing is certain. */
  get leftBytes(): number {
    const { raw } = this;
    if (raw === null || raw.destroyed || raw.errored !== null) return 0;
    return this.bytesOut - this.bufferedBytes;
  }

  /** Cannot tell: ws itself writes to the socket, and destroys it if it does not accept the handshake. */
  override isTakenAway(): boolean {
    return false;
  }

  /** Does nothing: it can ping. */
  beatHeard(): void {}

  describeFailure(evidence: AttemptEvidence): FailureDescription {
    const { error } = evidence;
    if (error !== undefined) describeAttempts(error);
    return describeDialFailure({
      ...evidence,
      phase: phaseOfError(error, this.#phase),
      answer: this.#answer?.description,
      isUnmatched: this.#isUnmatched && error !== undefined && /subprotocol/.test(error.message),
    });
  }

  override destroy(): void {
    if (this.#socket === null || this.isBound) {
      super.destroy();
      return;
    }
    // The errors that ws reports for this are of no interest.
    this.#socket.observer = null;
    this.#socket.terminate();
  }

  override release(): void {
    super.release();
    this.#answer?.stop();
    this.#answer = null;
    this.#socket = null;
  }
}

/** How many attempts the message of an error lists. */
const ATTEMPTS_MAX = 16;

/** Node.js gives the error of attempts at several addresses no message. */
function describeAttempts(error: Error): void {
  if (!(error instanceof AggregateError) || error.message !== '') return;
  error.message = error.errors.slice(0, ATTEMPTS_MAX).map(messageOf).join('; ');
}

/** An option of ws that its published types lack. */
interface DialOptions extends ClientOptions {
  finishRequest: (request: ClientRequest, socket: WebSocket) => void;
}

/** How Node.js connects: options of `tls.connect` and `net.connect`. */
export type ConnectOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized' | 'lookup'
> &
  Pick<TcpSocketConnectOpts, 'localAddress'>;
