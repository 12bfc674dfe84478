import { PortHandle } from '../connection/handle.ts';
import type { DialedConnection, Flow, FlushResult, SendResult } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { Stream } from '../core/stream.ts';
import type { DialedPort } from './dialed-port.ts';

/** What the handles of a client share. */
export interface DialedHandleHost<Out> {
  readonly contract: Pick<Contract<unknown, Out, unknown>, 'payload'>;
  /** Tells what a subscriber of `messages$` threw. */
  reportThrown(error: Error): void;
}

/** The public face of a port that dialed. */
export class DialedHandle<In, Out>
  extends PortHandle<In, Out>
  implements DialedConnection<In, Out>
{
  readonly #port: DialedPort;
  readonly #host: DialedHandleHost<Out>;

  constructor(port: DialedPort, host: DialedHandleHost<Out>) {
    super(port);
    this.#port = port;
    this.#host = host;
  }

  get direction(): 'dialed' {
    return 'dialed';
  }

  get flow(): Flow {
    return this.#port.messages?.isCongested === true ? 'congested' : 'flowing';
  }

  get bufferedBytes(): number {
    return this.#port.wire.bufferedBytes;
  }

  send(message: Out): SendResult {
    const payload = this.#host.contract.payload(message);
    return this.#port.messages?.send(payload) ?? 'refused';
  }

  sendAndFlush(message: Out): Promise<FlushResult> {
    return new Promise((settle) => {
      const payload = this.#host.contract.payload(message);
      const result = this.#port.messages?.sendFor(payload, settle) ?? 'refused';
      if (result === 'refused') settle('refused');
    });
  }

  protected messageStream(): Stream<In> {
    return new Stream((error) => this.#host.reportThrown(error));
  }
}
