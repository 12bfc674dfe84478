import { systemClock } from '../core/clock.ts';
import type { Client } from './client-types.ts';
import { makeClient } from './make-client.ts';
import {
  type NodeClientOptions,
  nodeActors,
  nodePlatform,
  resolveNodeOptions,
} from './node-options.ts';
import { sharedClientRuntime, sharedRoute } from './node-runtime.ts';
import type { Resolvable } from './reconnect/route.ts';

/**
 * Creates a client. It dials a peer, and dials again whenever the connection is lost, until you close it.
 *
 * @param url - where to dial, or a function that returns the URL for each attempt.
 * @throws MooringError `invalid-options`, with the path of every wrong option, or `url`; or `invalid-argument`. If a
 *   function returns a URL that cannot be dialed, the attempt fails with `target-error`.
 *
 * @example
 * ```ts
 * const client = createClient('wss://example.com/feed', { messages: z.object({ price: z.number() }) });
 * client.messages$.subscribe(({ price }) => console.log(price));
 * client.send({ subscribe: 'EUR' });
 * ```
 */
export function createClient<
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
>(
  url: Resolvable<string | URL>,
  given?: NodeClientOptions<In, Out, Ask, Answer, Request, Reply>,
): Client<In, Out, Ask, Answer>;
export function createClient(url: Resolvable<string | URL>, given: NodeClientOptions = {}): Client {
  const checked = resolveNodeOptions(given, systemClock);
  const { headers, connect, supervisor, actors, options } = checked;
  return makeClient(url, options, {
    platform: nodePlatform,
    supervisor,
    actors: nodeActors(actors),
    runtimeOf: sharedClientRuntime,
    routeTo: (directions, clock) => sharedRoute({ ...directions, headers, connect }, clock),
  });
}
