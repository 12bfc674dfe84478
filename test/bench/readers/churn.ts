import { until } from '../../support/until.ts';
import type { Churn } from '../orders.ts';
import type { LocalAddresses } from './local-address.ts';
import { Reader, type Target } from './reader.ts';

const SLOT_MS = 10;
const WITHIN_MS = 50_000;

/** Lets clients connect, evenly spread over the time, and close as soon as they are open. */
export async function churn(
  target: Target,
  { perSecond, forMs }: Churn,
  addresses: LocalAddresses,
): Promise<void> {
  const startedAt = performance.now();
  let begun = 0;
  let ended = 0;
  let failure: Error | null = null;
  const events = {
    opened: (reader: Reader) => reader.end('close'),
    message: () => {},
    ended(_reader: Reader, error?: Error) {
      failure ??= error ?? null;
      ended += 1;
    },
  };
  const timer = setInterval(() => {
    const due = Math.floor((Math.min(performance.now() - startedAt, forMs) / 1_000) * perSecond);
    for (; begun < due; begun += 1) new Reader({ ...target, local: addresses.next() }, events);
  }, SLOT_MS);
  const all = Math.floor((forMs / 1_000) * perSecond);
  try {
    await until(() => failure !== null || ended >= all, `${all} have come and gone`, WITHIN_MS);
  } finally {
    clearInterval(timer);
  }
  if (failure !== null) throw failure;
}
