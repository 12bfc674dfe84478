import { Unheard } from '../core/unheard.ts';
import type { Ending, GaveUp } from './client-types.ts';

/** One for all clients and pools of the process: a thousand clients lose their peer at once. */
export const unheard = /* @__PURE__ */ new Unheard({
  events: 'subscribe to events$ of the client or the pool',
  endings: 'subscribe to endings$ or status$ of the client or the pool',
});

/** Warns that a client has given up, and nobody has heard of it. */
export function warnOfGivingUp(address: string, gaveUp: GaveUp, ending: Ending | undefined): void {
  const isRefused = gaveUp === 'refused' && ending !== undefined;
  const [kind, why] = isRefused ? reasonOf(ending) : [gaveUp, gaveUp];
  unheard.lost(kind, `a client of ${address} gave up: ${why}`);
}

/** Warns that the peers of a pool want nothing of it, and nobody has heard of it. */
export function warnOfRefusal(address: string, ending: Ending): void {
  const [kind, why] = reasonOf(ending);
  unheard.lost(`pool ${kind}`, `a pool of ${address} is refused: ${why}`);
}

/** Its kind, of which there are few, and all that may be said of it. */
function reasonOf(ending: Ending): readonly [kind: string, why: string] {
  if (ending.outcome === 'closed') return ['closed', `closed with ${ending.verdict.code}`];
  const { cause, httpStatus } = ending.failure;
  return [cause, httpStatus === undefined ? cause : `${cause} with ${httpStatus}`];
}

/** Whether the peer has said that another attempt is pointless. */
export function isRefusal(ending: Ending): boolean {
  if (ending.outcome === 'failed') {
    const { retry, cause } = ending.failure;
    return retry === 'never' && cause !== 'aborted';
  }
  const { origin, retry, level } = ending.verdict;
  return origin === 'peer' && retry === 'never' && level !== 'info';
}
