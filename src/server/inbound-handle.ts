import { ConnectionHandle } from '../connection/connection-handle.ts';
import type {
  Connection,
  Flow,
  FlushResult,
  RenewOptions,
  SendResult,
} from '../core/connection.ts';
import { checkNames } from '../core/option-rules.ts';
import { Stream } from '../core/stream.ts';
import { printAs } from '../core/text.ts';
import type { Authentication } from './authentication.ts';
import type { Broadcaster } from './broadcaster.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { Reporter } from './report.ts';

/** What the public handles of a supervisor's connections share. @internal */
export interface InboundHandleParts<Peer, In, Out> {
  readonly broadcaster: Pick<Broadcaster<Peer, In, Out, unknown>, 'frame' | 'join' | 'leave'>;
  readonly reporter: Reporter<Peer, In, Out>;
  readonly authentication: Authentication<Peer, In, Out>;
}

/** The public side of an accepted connection. @internal */
export class InboundHandle<Peer, In, Out>
  extends ConnectionHandle<In, Out>
  implements Connection<Peer, In, Out>
{
  readonly #connection: InboundConnection;
  readonly #parts: InboundHandleParts<Peer, In, Out>;

  constructor(connection: InboundConnection, parts: InboundHandleParts<Peer, In, Out>) {
    super(connection);
    this.#connection = connection;
    this.#parts = parts;
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
    const { transport, pendingBytes } = this.#connection.side;
    return transport.bufferedBytes + pendingBytes;
  }

  get droppedMessages(): number {
    return this.#connection.side.dropped;
  }

  get topics(): readonly string[] {
    return [...(this.#connection.side.topics ?? [])];
  }

  protected sendNow(message: Out): SendResult {
    const frame = this.#parts.broadcaster.frame(message);
    return this.#connection.side.outbox?.send(frame) ?? 'refused';
  }

  async sendAndFlush(message: Out): Promise<FlushResult> {
    const frame = this.#parts.broadcaster.frame(message);
    return this.#connection.side.outbox?.sendAndFlush(frame) ?? 'refused';
  }

  /** @param options - not supported yet, so passing any is an error. */
  join(topic: string, options?: unknown): boolean {
    if (typeof options === 'object') checkNames(options, []);
    return this.#parts.broadcaster.join(this.#connection, topic);
  }

  leave(topic: string): boolean {
    return this.#parts.broadcaster.leave(this.#connection, topic);
  }

  renew(peer: Peer, options: RenewOptions = {}): boolean {
    return this.#parts.authentication.renew(this.#connection, peer, options);
  }

  protected reportActor(error: Error): void {
    this.#parts.reporter.errored('actor', error);
  }

  protected messageStream(): Stream<In> {
    const { reporter } = this.#parts;
    return new Stream((error) => reporter.errored('messages$', error, this.#connection));
  }

  static {
    printAs(InboundHandle.prototype, 'Connection', ({ id, state, address, topics }) => {
      return { id, state, address, topics };
    });
  }
}
