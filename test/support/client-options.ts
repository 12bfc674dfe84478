import { resolveNodeOptions } from '../../src/client/node-options.ts';
import type { ClientOptions, ResolvedClientOptions } from '../../src/client/options.ts';
import type { Clock } from '../../src/core/clock.ts';

/** Checks the options of a client and fills in defaults, as a client in Node.js does. */
export function resolveClientOptions<In, Out>(
  given: ClientOptions<In, Out>,
  clock: Clock,
): ResolvedClientOptions<In, Out> {
  return resolveNodeOptions(given, clock).options;
}
