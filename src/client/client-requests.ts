import { Ask, notMooring, requestLost, tooMany } from '../connection/ask.ts';
import { checkedRequest, type Receipt, type RequestOptions } from '../core/request.ts';
import type { ClientDependencies } from './client-runtime.ts';
import type { ClientSendOptions } from './client-types.ts';
import type { Headed } from './outbound-outbox.ts';
import type { Sender } from './sender.ts';

/**
 * The requests of one client, over all its connections. Each waits in the queue of the client like any message. If its connection
 * ends before the answer, it goes back to the head of the queue, under the same id.
 */
export class ClientRequests<In, Out> {
  readonly #parts: Pick<ClientDependencies<In, Out>, 'runtime'>;
  readonly #sender: Sender<In, Out>;
  /** How many wait for a connection or an answer. */
  #size = 0;

  constructor(parts: Pick<ClientDependencies<In, Out>, 'runtime'>, sender: Sender<In, Out>) {
    this.#parts = parts;
    this.#sender = sender;
  }

  async request(message: unknown, given: RequestOptions | undefined): Promise<unknown> {
    const { context, contracts } = this.#parts.runtime;
    const options = checkedRequest(given);
    const payload = contracts.requests.payload(message);
    const { requestsMax } = context.limits;
    if (this.#size >= requestsMax) throw tooMany(requestsMax);
    const lost = () => this.#sender.resend(this.#queued(ask), ask.payload);
    const ask = new Ask({ payload, options, context, lost });
    this.#size += 1;
    this.#sender.sendHeaded(this.#queued(ask), ask.payload);
    try {
      return await ask.answer;
    } finally {
      this.#size -= 1;
    }
  }

  /** A request in the queue. */
  #queued(ask: Ask): Headed {
    const headed: Headed = {
      sendOn: (exchange) => exchange.ask(ask),
      drop(reason) {
        ask.whenOver = () => {};
        ask.reject(reason === 'not-mooring' ? notMooring() : requestLost(reason));
      },
    };
    ask.whenOver = () => this.#sender.withdraw(headed);
    return headed;
  }

  async sendForReceipt(message: Out, options: ClientSendOptions): Promise<Receipt> {
    const payload = this.#parts.runtime.contract.payload(message);
    return new Promise((settle, fail) => {
      const headed: Headed = {
        sendOn: (exchange, kept) => void exchange.sendForReceipt(kept).then(settle),
        drop(reason) {
          if (reason === 'not-mooring') fail(notMooring());
          else settle(reason === 'refused' ? 'refused' : 'lost');
        },
      };
      this.#sender.sendHeaded(headed, payload, options);
    });
  }
}
