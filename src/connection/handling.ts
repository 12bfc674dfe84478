import type { RequestContext } from '../core/request.ts';

/** One request of the peer that `onRequest` works on. */
export class Handling {
  readonly id: string;
  /** The argument of `onRequest`. */
  readonly context: RequestContext;
  /** Made when the application reads its signal, because most handlers do not. */
  #controller: AbortController | null = null;
  #isAborted = false;

  constructor(id: string) {
    const signalOf = () => this.#signal;
    this.id = id;
    this.context = {
      id,
      get signal() {
        return signalOf();
      },
    };
  }

  get #signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isAborted) this.#controller.abort();
    return this.#controller.signal;
  }

  /** Nobody waits for the answer any more. */
  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}
