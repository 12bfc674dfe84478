import type { Observable } from 'rxjs';
import { withoutBeat } from '../core/beat.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type {
  ConnectionState,
  Flow,
  FlushResult,
  SendResult,
  SupervisedConnection,
} from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import { type InspectArguments, inspection, inspectKey } from '../core/inspect.ts';
import type { Stream } from '../core/stream.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { Port } from './port.ts';

/** The public face of a port, whichever way it dials. It stays valid when the port has let go of its socket. */
export abstract class PortHandle<In, Out> implements SupervisedConnection<In, Out> {
  readonly #port: Port;
  #messages: Stream<In> | undefined;

  constructor(port: Port) {
    this.#port = port;
  }

  get id(): string {
    return this.#port.id;
  }

  get key(): string | undefined {
    return undefined;
  }

  get address(): string {
    return this.#port.address;
  }

  get path(): string {
    return this.#port.path;
  }

  get subprotocol(): string {
    return withoutBeat(this.#port.wire.subprotocol);
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

  get verdict(): CloseVerdict | undefined {
    return this.#port.verdict;
  }

  get messages$(): Observable<In> {
    if (this.#messages === undefined) {
      this.#messages = this.messageStream();
      if (this.#port.verdict !== undefined) this.#messages.complete();
    }
    return this.#messages.observable;
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

  pause(): boolean {
    return this.#port.isOpen && this.#port.intake.pause('user');
  }

  resume(): boolean {
    return this.#port.isOpen && this.#port.intake.resume('user');
  }

  abstract readonly flow: Flow;
  abstract readonly bufferedBytes: number;
  abstract send(message: Out): SendResult;
  abstract sendAndFlush(message: Out): Promise<FlushResult>;
  /** A stream that tells of subscribers who throw. */
  protected abstract messageStream(): Stream<In>;

  /** What `console.log` prints: who it is, and nothing of what it was given. */
  [inspectKey](...given: InspectArguments): string {
    const { id, state, address } = this;
    return inspection('Connection', { id, state, address, ...this.inspected }, given);
  }

  /** What else `console.log` prints. */
  protected get inspected(): object {
    return {};
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
