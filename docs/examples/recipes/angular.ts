import {
  computed,
  DestroyRef,
  InjectionToken,
  inject,
  type Provider,
  type Signal,
} from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';
import { type Client, type ClientState, createClient } from 'mooring/client';

export interface Quote {
  readonly symbol: string;
  readonly price: number;
}

/** Injects the client. The application, a route or a component can provide it. */
export const FEED = new InjectionToken<Client<Quote>>('feed');

export function provideFeed(url: string): Provider {
  return {
    provide: FEED,
    useFactory: () => {
      const client = createClient<Quote>(url, { dial: 'on-demand' });
      inject(DestroyRef).onDestroy(() => void client.close());
      return client;
    },
  };
}

/** Returns the last quote and the state of the client. Call it in an injection context, such as a field of a component. */
export function injectFeed(): {
  readonly quote: Signal<Quote | undefined>;
  readonly state: Signal<ClientState>;
} {
  const client = inject(FEED);
  const status = toSignal(client.status$, { requireSync: true });
  return { quote: toSignal(client.messages$), state: computed(() => status().state) };
}
