import { ConnectionHandle } from '../connection/connection-handle.ts';
import type {
  Connection,
  Flow,
  FlushResult,
  RenewOptions,
  SendResult,
} from '../core/connection.ts';
import type { Frame } from '../core/frame.ts';
import { checkNames } from '../core/option-rules.ts';
import type { Stream } from '../core/stream.ts';
import { printAs } from '../core/text.ts';
import type { InboundConnection } from './inbound-connection.ts';

/** What the public handles of a supervisor share. */
export interface InboundHandleHost<In, Out> {
  /** @throws MooringError when the message is wrong. */
  frame(message: Out): Frame;
  join(connection: InboundConnection, topic: string): boolean;
  leave(connection: InboundConnection, topic: string): boolean;
  /** @throws MooringError when the options are wrong. */
  renew(connection: InboundConnection, peer: unknown, options: RenewOptions): boolean;
  /** A subscriber of an actor threw. */
  actorErrored(error: Error): void;
  /** A stream whose subscribers, when they throw, are handlers of this connection that threw. */
  messageStream(connection: InboundConnection): Stream<In>;
}

/** The public face of a connection whose peer has come to us. */
export class InboundHandle<Peer, In, Out>
  extends ConnectionHandle<In, Out>
  implements Connection<Peer, In, Out>
{
  readonly #connection: InboundConnection;
  readonly #host: InboundHandleHost<In, Out>;

  constructor(connection: InboundConnection, host: InboundHandleHost<In, Out>) {
    super(connection);
    this.#connection = connection;
    this.#host = host;
  }

  get direction(): 'accepted' {
    return 'accepted';
  }

  override get key(): string | undefined {
    return this.#connection.side.key;
  }

  get peer(): Peer {
    return this.#connection.side.peer as Peer;
  }

  get flow(): Flow {
    return this.#connection.side.isCongested ? 'congested' : 'flowing';
  }

  get bufferedBytes(): number {
    const { transport, outbox } = this.#connection.side;
    return transport.bufferedBytes + (outbox?.pendingBytes ?? 0);
  }

  get droppedMessages(): number {
    return this.#connection.side.dropped;
  }

  get topics(): readonly string[] {
    return [...(this.#connection.side.topics ?? [])];
  }

  send(message: Out): SendResult {
    const frame = this.#host.frame(message);
    return this.#connection.side.outbox?.send(frame) ?? 'refused';
  }

  async sendAndFlush(message: Out): Promise<FlushResult> {
    const frame = this.#host.frame(message);
    return this.#connection.side.outbox?.sendAndFlush(frame) ?? 'refused';
  }

  /** @param options - there are none yet: options that are passed are an error. */
  join(topic: string, options?: unknown): boolean {
    if (typeof options === 'object') checkNames(options, []);
    return this.#host.join(this.#connection, topic);
  }

  leave(topic: string): boolean {
    return this.#host.leave(this.#connection, topic);
  }

  renew(peer: Peer, options: RenewOptions = {}): boolean {
    return this.#host.renew(this.#connection, peer, options);
  }

  protected reportActor(error: Error): void {
    this.#host.actorErrored(error);
  }

  protected messageStream(): Stream<In> {
    return this.#host.messageStream(this.#connection);
  }

  static {
    printAs(InboundHandle.prototype, 'Connection', ({ id, state, address, topics }) => {
      return { id, state, address, topics };
    });
  }
}
