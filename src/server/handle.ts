import type { Observable } from 'rxjs';
import { checkedCloseFrame } from '../core/close-code.ts';
import type {
  Connection,
  ConnectionState,
  Flow,
  FlushResult,
  SendResult,
} from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import type { Stream } from '../core/stream.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { AcceptedPort } from './accepted-port.ts';

/** What the public handles of a supervisor share. */
export interface HandleHost<In, Out> {
  /** @throws SupervisorError when the message is wrong. */
  frame(message: Out): Frame;
  join(port: AcceptedPort, topic: string): boolean;
  leave(port: AcceptedPort, topic: string): boolean;
  /** A stream whose subscribers, when they throw, are handlers of this connection that threw. */
  messageStream(port: AcceptedPort): Stream<In>;
}

/** The public face of a port. It stays valid when the port has let go of its socket. */
export class ConnectionHandle<Peer, In, Out> implements Connection<Peer, In, Out> {
  readonly #port: AcceptedPort;
  readonly #host: HandleHost<In, Out>;
  #messages: Stream<In> | undefined;

  constructor(port: AcceptedPort, host: HandleHost<In, Out>) {
    this.#port = port;
    this.#host = host;
  }

  get id(): string {
    return this.#port.id;
  }

  get key(): string | undefined {
    return this.#port.key;
  }

  get address(): string {
    return this.#port.address;
  }

  get path(): string {
    return this.#port.path;
  }

  get peer(): Peer {
    return this.#port.peer as Peer;
  }

  get subprotocol(): string {
    return this.#port.wire.subprotocol;
  }

  get state(): ConnectionState {
    return this.#port.state;
  }

  get states(): readonly string[] {
    return this.#port.states;
  }

  get openedAt(): number {
    return this.#port.openedAt;
  }

  get flow(): Flow {
    return this.#port.isCongested ? 'congested' : 'flowing';
  }

  get bufferedBytes(): number {
    const { wire, outbox } = this.#port;
    return wire.bufferedBytes + (outbox?.pendingBytes ?? 0);
  }

  get droppedMessages(): number {
    return this.#port.dropped;
  }

  get verdict(): CloseVerdict | undefined {
    return this.#port.verdict;
  }

  get topics(): readonly string[] {
    return [...(this.#port.topics ?? [])];
  }

  get messages$(): Observable<In> {
    if (this.#messages === undefined) {
      this.#messages = this.#host.messageStream(this.#port);
      if (this.#port.verdict !== undefined) this.#messages.complete();
    }
    return this.#messages.observable;
  }

  send(message: Out): SendResult {
    const frame = this.#host.frame(message);
    return this.#port.outbox?.send(frame) ?? 'refused';
  }

  sendAndFlush(message: Out): Promise<FlushResult> {
    const frame = this.#host.frame(message);
    return this.#port.outbox?.sendAndFlush(frame) ?? Promise.resolve('refused');
  }

  join(topic: string): boolean {
    return this.#host.join(this.#port, topic);
  }

  leave(topic: string): boolean {
    return this.#host.leave(this.#port, topic);
  }

  close(code = 1000, reason = ''): boolean {
    return this.#port.close('close', checkedCloseFrame(code, reason));
  }

  fail(error: unknown): boolean {
    return this.#port.end('fail', toError(error));
  }

  terminate(): boolean {
    return this.#port.terminate();
  }

  /** @internal */
  deliver(message: In): void {
    this.#messages?.next(message);
  }

  /** @internal */
  complete(): void {
    this.#messages?.complete();
  }
}
