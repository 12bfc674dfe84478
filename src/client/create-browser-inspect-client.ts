import { xstateHost } from '../chart/hosted-actor.ts';
import type { Client } from './client-types.ts';
import { makePageClient } from './create-browser-client.ts';
import type { PageClientOptions } from './page-options.ts';
import type { Resolvable } from './reconnect/route.ts';

/**
 * Like `createClient` of `mooring/client`, but with XState: the client and its connections have actors, and `inspect`
 * receives each step of their charts.
 *
 * @throws MooringError for the same reasons as `createClient` of `mooring/client`.
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
  given?: PageClientOptions<In, Out, Ask, Answer, Request, Reply>,
): Client<In, Out, Ask, Answer>;
export function createClient(url: Resolvable<string | URL>, given: PageClientOptions = {}): Client {
  return makePageClient(url, given, xstateHost);
}
