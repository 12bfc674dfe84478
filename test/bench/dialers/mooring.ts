import { type Client, createClient } from '../../../src/client/index.ts';
import type { Setup } from '../orders.ts';
import type { Dialer } from './dialer.ts';

/** An interval that no measurement reaches. */
const NEVER_MS = 100_000_000;

/** Clients with their defaults, each with a listener for its messages. */
export function mooring({ heartbeatMs, actors }: Setup): Dialer {
  const clients: Client[] = [];
  const options = {
    ...(heartbeatMs === 0 && { heartbeat: { intervalMs: NEVER_MS } }),
    ...(actors && { actors }),
  };
  return {
    dial(url) {
      const client = createClient(url, options);
      client.messages$.subscribe(heard);
      clients.push(client);
    },
    open: () => clients.filter(({ status }) => status.state === 'up').length,
  };
}

function heard(): void {}
