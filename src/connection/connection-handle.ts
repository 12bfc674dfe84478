import type { Observable } from 'rxjs';
import type { ChartActor } from '../core/actor.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type {
  ConnectionState,
  Flow,
  FlushResult,
  SendResult,
  SupervisedConnection,
} from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import {
  checkedSend,
  type Receipt,
  type RequestOptions,
  type SendOptions,
} from '../core/request.ts';
import type { Stream } from '../core/stream.ts';
import { withoutMooring } from '../core/subprotocol.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** The public side of a connection, accepted or dialed. It stays valid after the connection has released its socket. */
export abstract class ConnectionHandle<In, Out> implements SupervisedConnection<In, Out> {
  /** What error messages call the object. */
  static readonly spokenName = 'a connection';

  readonly #connection: ManagedConnection;
  #messages: Stream<In> | undefined;

  constructor(connection: ManagedConnection) {
    this.#connection = connection;
  }

  get id(): string {
    return this.#connection.id;
  }

  get key(): string | undefined {
    return undefined;
  }

  get address(): string {
    return this.#connection.address;
  }

  get path(): string {
    return this.#connection.path;
  }

  get subprotocol(): string {
    return withoutMooring(this.#connection.transport.subprotocol);
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  get states(): readonly string[] {
    return this.#connection.states;
  }

  get openedAt(): number {
    return this.#connection.openedAt;
  }

  get verdict(): CloseVerdict | undefined {
    return this.#connection.verdict;
  }

  get actor(): ChartActor<CloseVerdict> {
    const connection = this.#connection;
    return connection.actor.reader(
      () => connection.verdict,
      (error) => this.reportActor(error),
    );
  }

  get messages$(): Observable<In> {
    if (this.#messages === undefined) {
      this.#messages = this.messageStream();
      if (this.#connection.verdict !== undefined) this.#messages.complete();
    }
    return this.#messages.observable;
  }

  send(message: Out, options: SendOptions & { readonly receipt: true }): Promise<Receipt>;
  send(message: Out, options?: SendOptions & { readonly receipt?: false | undefined }): SendResult;
  send(message: Out, options?: SendOptions): SendResult | Promise<Receipt> {
    if (options === undefined || !checkedSend(options).receipt) return this.sendNow(message);
    return this.#connection.sendForReceipt(message);
  }

  request(message: unknown, options?: RequestOptions): Promise<unknown> {
    return this.#connection.request(message, options);
  }

  close(code = 1000, reason = ''): boolean {
    return this.#connection.close('close', checkedCloseFrame(code, reason));
  }

  fail(error: unknown): boolean {
    return this.#connection.end('fail', toError(error));
  }

  terminate(): boolean {
    return this.#connection.terminate();
  }

  pause(): boolean {
    return this.#connection.isOpen && this.#connection.intake.pause('user');
  }

  resume(): boolean {
    return this.#connection.isOpen && this.#connection.intake.resume('user');
  }

  abstract readonly flow: Flow;
  abstract readonly bufferedBytes: number;
  /** Sends a message without a receipt. */
  protected abstract sendNow(message: Out): SendResult;
  abstract sendAndFlush(message: Out): Promise<FlushResult>;
  /** Reports what a subscriber of the actor threw. */
  protected abstract reportActor(error: Error): void;
  /** Makes a stream that reports what its subscribers throw. */
  protected abstract messageStream(): Stream<In>;

  /** The connection behind a public handle; `undefined` for any other object. @internal */
  static connectionOf(handle: object): ManagedConnection | undefined {
    return #connection in handle ? handle.#connection : undefined;
  }

  /** Whether its messages have subscribers. @internal */
  get isHeard(): boolean {
    return this.#messages?.observed === true;
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
