import type { Client, ClientStatus } from 'mooring/client';
import { useCallback, useEffect, useState, useSyncExternalStore } from 'react';
import type { Observable } from 'rxjs';

/** Returns the status of a client. The component renders again at each change. */
export function useStatus(client: Pick<Client, 'status' | 'status$'>): ClientStatus {
  const subscribe = useCallback(
    (changed: () => void) => {
      const subscription = client.status$.subscribe(changed);
      return () => subscription.unsubscribe();
    },
    [client],
  );
  const status = () => client.status;
  return useSyncExternalStore(subscribe, status, status);
}

/** Returns the latest value of a stream since the component was mounted. */
export function useLatest<Value>(stream$: Observable<Value>): Value | undefined {
  const [latest, setLatest] = useState<Value>();
  useEffect(() => {
    const subscription = stream$.subscribe((value) => setLatest(() => value));
    return () => subscription.unsubscribe();
  }, [stream$]);
  return latest;
}

export interface Quote {
  readonly symbol: string;
  readonly price: number;
}

/** Shows the last price and whether it is live. */
export function Price({ client }: { readonly client: Client<Quote> }) {
  const { state } = useStatus(client);
  const quote = useLatest(client.messages$);
  const price = quote === undefined ? '…' : `${quote.symbol} ${quote.price}`;
  return <p title={state}>{state === 'up' ? price : `${price} (not live)`}</p>;
}
