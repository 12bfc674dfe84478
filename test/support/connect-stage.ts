import type { ConnectOptions, NodeClientOptions } from '../../src/client/index.ts';
import { Dialing } from './dialing.ts';
import { SecureService } from './secure-service.ts';
import type { Stops } from './stops.ts';

type Lookup = NonNullable<ConnectOptions['lookup']>;

const backoff = { minMs: 60_000, maxMs: 60_000 };
const timeouts = { closeMs: 200 };

/**
 * Starts what the tests of the connect options need: clients that dial once, and servers over TLS. Both stop
 * after the test.
 */
export function connectStage(stops: Stops) {
  const dial = (
    url: string,
    connect: NodeClientOptions['connect'],
    more: NodeClientOptions = {},
  ): Dialing => {
    const options = { backoff, timeouts, random: () => 1, ...more };
    const dialing = new Dialing(url, { ...options, ...(connect && { connect }) });
    stops.add(() => dialing.client.close());
    return dialing;
  };
  const secureService = (...args: Parameters<typeof SecureService.start>) =>
    stops.started(SecureService.start(...args));
  return { dial, secureService };
}

/** Resolves every name to this host, at once. */
export const here: Lookup = (_name, { all }, done) =>
  all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4);
