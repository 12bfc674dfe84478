import type { Observable } from 'rxjs';
import type { ChartActor } from '../core/actor.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type { DialedConnection, FlushResult, SendResult } from '../core/connection.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type {
  Client,
  ClientEvent,
  ClientSendOptions,
  ClientStatus,
  Ending,
} from './client-types.ts';
import { usual } from './sender.ts';
import type { SupervisedClient } from './supervised-client.ts';

/** The public face of a client. */
export class ClientHandle<In, Out> implements Client<In, Out> {
  readonly #client: SupervisedClient<In, Out>;

  constructor(client: SupervisedClient<In, Out>) {
    this.#client = client;
  }

  get url(): string {
    return this.#client.url;
  }

  get connection(): DialedConnection<In, Out> | undefined {
    return this.#client.connection;
  }

  get status(): ClientStatus {
    return this.#client.status;
  }

  get actor(): ChartActor {
    return this.#client.actor.reader(() => undefined, this.#client.streams.report('actor'));
  }

  get status$(): Observable<ClientStatus> {
    return this.#client.streams.statuses.observable;
  }

  get messages$(): Observable<In> {
    return this.#client.streams.messages.observable;
  }

  get endings$(): Observable<Ending> {
    return this.#client.streams.endings.observable;
  }

  get verdicts$(): Observable<CloseVerdict> {
    return this.#client.streams.verdicts.observable;
  }

  get events$(): Observable<ClientEvent> {
    return this.#client.streams.events.observable;
  }

  get queuedMessages(): number {
    return this.#client.sender.queued;
  }

  send(message: Out, options: ClientSendOptions = usual): SendResult {
    return this.#client.sender.send(message, options);
  }

  sendAndFlush(message: Out, options: ClientSendOptions = usual): Promise<FlushResult> {
    return this.#client.sender.sendAndFlush(message, options);
  }

  dialNow(): boolean {
    return this.#client.dialNow();
  }

  async close(code = 1000, reason = ''): Promise<void> {
    await this.#client.stop(checkedCloseFrame(code, reason));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
