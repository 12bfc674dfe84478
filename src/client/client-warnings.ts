import type { ClientEvent } from '../core/events.ts';
import { Unheard } from '../core/warnings.ts';
import type { ClientStatus, Ending } from './client-types.ts';
import { isRefusal } from './reconnect/retry.ts';

/**
 * Warns the operator about problems of clients and pools that nothing listens to.
 *
 * In Node.js, all clients and pools of the process share one, because a thousand clients may lose their peer at the
 * same time. A page has none, because it has no process that could emit a warning.
 */
export class ClientWarnings {
  readonly #unheard = new Unheard({
    events: 'subscribe to events$ of the client or the pool',
    endings: 'subscribe to endings$ or status$ of the client or the pool',
  });

  /** A function of the application threw or rejected. */
  handlerErrored(name: string, error: Error): void {
    this.#unheard.handler(name, error);
  }

  /** Warns about an event of a client or a pool without subscribers of `events$`. */
  unheard(event: ClientEvent): void {
    if (event.type === 'handler.errored') this.handlerErrored(event.handler, event.error);
    else if (event.type === 'message.invalid') this.#unheard.invalid(event.fault);
    // Not when the application closed the client: it expects this.
    else if (event.type === 'message.dropped' && event.reason !== 'stopped')
      this.#unheard.dropped(event.reason);
  }

  /** Warns about a client that has given up or dials slowly, because a person may have to fix the reason. */
  clientMoved(address: string, { gaveUp, ending, states }: ClientStatus): void {
    const [kind, why] = ending === undefined ? [] : reasonOf(ending);
    if (gaveUp !== undefined) {
      const isRefused = gaveUp === 'refused' && kind !== undefined;
      this.#unheard.lost(
        isRefused ? kind : gaveUp,
        `a client of ${address} gave up: ${isRefused ? why : gaveUp}`,
      );
    } else if (states.includes('waiting.slow') && kind !== undefined)
      this.#unheard.lost(`slow ${kind}`, `a client of ${address} dials slowly: ${why}`);
  }

  /** A pool never gives up, so nothing else reports that a peer refuses its connections. */
  poolRefused(address: string, ending: Ending): void {
    const { level } = ending.outcome === 'failed' ? ending.failure : ending.verdict;
    if (level === 'info' || !isRefusal(ending)) return;
    const [kind, why] = reasonOf(ending);
    this.#unheard.lost(`pool ${kind}`, `a pool of ${address} is refused: ${why}`);
  }
}

/** The warnings of this process. */
export const clientWarnings = /* @__PURE__ */ new ClientWarnings();

/** Returns the kind of an ending, of which there are few, and a description without foreign text. */
function reasonOf(ending: Ending): readonly [kind: string, why: string] {
  if (ending.outcome === 'closed') return ['closed', `closed with ${ending.verdict.code}`];
  const { cause, httpStatus } = ending.failure;
  return [cause, httpStatus === undefined ? cause : `${cause} with ${httpStatus}`];
}
