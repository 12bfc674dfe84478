import { Unheard } from '../core/warnings.ts';
import type { Ending, GaveUp } from './client-types.ts';

/**
 * Warns the operator of what happens to clients and pools while nobody listens.
 *
 * In Node.js there is one for all clients and pools of the process: a thousand clients lose their peer at once. A page has none,
 * because it has no process that could emit a warning.
 */
export class ClientWarnings {
  readonly #unheard = new Unheard({
    events: 'subscribe to events$ of the client or the pool',
    endings: 'subscribe to endings$ or status$ of the client or the pool',
  });

  /** Code of the user threw or rejected. */
  handlerErrored(name: string, error: Error): void {
    this.#unheard.handler(name, error);
  }

  clientGaveUp(address: string, gaveUp: GaveUp, ending: Ending | undefined): void {
    const isRefused = gaveUp === 'refused' && ending !== undefined;
    const [kind, why] = isRefused ? reasonOf(ending) : [gaveUp, gaveUp];
    this.#unheard.lost(kind, `a client of ${address} gave up: ${why}`);
  }

  /** A pool never gives up, so that nothing else says that a peer refuses its connections. */
  poolRefused(address: string, ending: Ending): void {
    if (!isRefusal(ending)) return;
    const [kind, why] = reasonOf(ending);
    this.#unheard.lost(`pool ${kind}`, `a pool of ${address} is refused: ${why}`);
  }
}

/** The warnings of this process. */
export const clientWarnings = /* @__PURE__ */ new ClientWarnings();

/** Its kind, of which there are few, and all that may be said of it. */
function reasonOf(ending: Ending): readonly [kind: string, why: string] {
  if (ending.outcome === 'closed') return ['closed', `closed with ${ending.verdict.code}`];
  const { cause, httpStatus } = ending.failure;
  return [cause, httpStatus === undefined ? cause : `${cause} with ${httpStatus}`];
}

/** Whether the peer has said that another attempt is pointless. */
function isRefusal(ending: Ending): boolean {
  if (ending.outcome === 'failed') {
    const { retry, cause } = ending.failure;
    return retry === 'never' && cause !== 'aborted';
  }
  const { origin, retry, level } = ending.verdict;
  return origin === 'peer' && retry === 'never' && level !== 'info';
}
