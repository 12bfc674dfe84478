import { ConnectionHandle } from '../connection/connection-handle.ts';
import type { DialedConnection, Flow, FlushResult, SendResult } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { Stream } from '../core/stream.ts';
import type { OutboundConnection } from './outbound-connection.ts';
import type { Outgoing } from './outbound-outbox.ts';

/** What the handles of all connections of a client share. */
export interface OutboundHandleHost<Out> {
  readonly contract: Pick<Contract<unknown, Out, unknown>, 'payload'>;
  /** The application has sent a message on its connection. */
  connectionUsed(): void;
  /** Reports what a subscriber of `messages$` or of the actor threw. */
  reportThrown(handler: 'messages$' | 'actor', error: Error): void;
}

/** The public side of a dialed connection. */
export class OutboundHandle<In, Out>
  extends ConnectionHandle<In, Out>
  implements DialedConnection<In, Out>
{
  readonly #connection: OutboundConnection;
  readonly #host: OutboundHandleHost<Out>;

  constructor(connection: OutboundConnection, host: OutboundHandleHost<Out>) {
    super(connection);
    this.#connection = connection;
    this.#host = host;
  }

  get direction(): 'dialed' {
    return 'dialed';
  }

  get flow(): Flow {
    return this.#connection.side.outbox?.isCongested === true ? 'congested' : 'flowing';
  }

  get bufferedBytes(): number {
    return this.#connection.transport.bufferedBytes;
  }

  protected sendNow(message: Out): SendResult {
    return this.#send({ message, settle: undefined });
  }

  sendAndFlush(message: Out): Promise<FlushResult> {
    return new Promise((settle) => {
      if (this.#send({ message, settle }) === 'refused') settle('refused');
    });
  }

  #send(outgoing: Outgoing & { readonly message: Out }): SendResult {
    const payload = this.#host.contract.payload(outgoing.message);
    this.#host.connectionUsed();
    return this.#connection.side.outbox?.send(payload, outgoing) ?? 'refused';
  }

  protected reportActor(error: Error): void {
    this.#host.reportThrown('actor', error);
  }

  protected messageStream(): Stream<In> {
    return new Stream((error) => this.#host.reportThrown('messages$', error));
  }
}
