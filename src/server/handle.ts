import { PortHandle } from '../connection/handle.ts';
import type {
  Connection,
  Flow,
  FlushResult,
  RenewOptions,
  SendResult,
} from '../core/connection.ts';
import type { Frame } from '../core/frame.ts';
import { checkNames } from '../core/option-problems.ts';
import type { Stream } from '../core/stream.ts';
import type { AcceptedPort } from './accepted-port.ts';

/** What the public handles of a supervisor share. */
export interface HandleHost<In, Out> {
  /** @throws SupervisorError when the message is wrong. */
  frame(message: Out): Frame;
  join(port: AcceptedPort, topic: string): boolean;
  leave(port: AcceptedPort, topic: string): boolean;
  /** @throws SupervisorError when the options are wrong. */
  renew(port: AcceptedPort, peer: unknown, options: RenewOptions): boolean;
  /** A stream whose subscribers, when they throw, are handlers of this connection that threw. */
  messageStream(port: AcceptedPort): Stream<In>;
}

/** The public face of a port whose peer has come to us. */
export class ConnectionHandle<Peer, In, Out>
  extends PortHandle<In, Out>
  implements Connection<Peer, In, Out>
{
  readonly #port: AcceptedPort;
  readonly #host: HandleHost<In, Out>;

  constructor(port: AcceptedPort, host: HandleHost<In, Out>) {
    super(port);
    this.#port = port;
    this.#host = host;
  }

  get direction(): 'accepted' {
    return 'accepted';
  }

  override get key(): string | undefined {
    return this.#port.key;
  }

  get peer(): Peer {
    return this.#port.peer as Peer;
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

  get topics(): readonly string[] {
    return [...(this.#port.topics ?? [])];
  }

  send(message: Out): SendResult {
    const frame = this.#host.frame(message);
    return this.#port.outbox?.send(frame) ?? 'refused';
  }

  async sendAndFlush(message: Out): Promise<FlushResult> {
    const frame = this.#host.frame(message);
    return this.#port.outbox?.sendAndFlush(frame) ?? 'refused';
  }

  /** @param options - there are none yet: options that are passed are an error. */
  join(topic: string, options?: unknown): boolean {
    if (typeof options === 'object') checkNames(options, []);
    return this.#host.join(this.#port, topic);
  }

  leave(topic: string): boolean {
    return this.#host.leave(this.#port, topic);
  }

  renew(peer: Peer, options: RenewOptions = {}): boolean {
    return this.#host.renew(this.#port, peer, options);
  }

  protected override get inspected(): object {
    return { topics: this.topics };
  }

  protected messageStream(): Stream<In> {
    return this.#host.messageStream(this.#port);
  }
}
