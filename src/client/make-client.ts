import type { ActorOptions } from '../chart/chart-system.ts';
import { parentOf } from '../connection/parent.ts';
import { checkUrl } from '../core/arguments.ts';
import type { HasChildren } from '../core/child.ts';
import { ClientHandle } from './client-handle.ts';
import { type ClientRuntime, chartsFor } from './client-runtime.ts';
import type { Client } from './client-types.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import { ReconnectPolicy } from './reconnect/reconnect-policy.ts';
import { type Headers, type Resolvable, routeTo } from './reconnect/target.ts';
import { SupervisedClient } from './supervised-client.ts';

/** What an entry point brings along: where it runs, and what can be asked for there. */
export interface Environment {
  readonly platform: Platform;
  readonly headers: Resolvable<Headers>;
  readonly supervisor?: HasChildren | undefined;
  readonly actors: ActorOptions;
  /** Makes what a client has of its options, or finds what others have. */
  readonly runtimeOf: <In, Out>(options: ResolvedClientOptions<In, Out>) => ClientRuntime<In, Out>;
}

/** Makes a client for wherever it runs. @throws MooringError `invalid-argument` */
export function makeClient<In, Out>(
  url: Resolvable<string | URL>,
  options: ResolvedClientOptions<In, Out>,
  { platform, headers, supervisor, actors, runtimeOf }: Environment,
): Client<In, Out> {
  checkUrl(url, 'createClient(url, options)');
  const parent = parentOf(supervisor);
  const shared = runtimeOf(options);
  const { subprotocols, beat } = shared.options;
  const route = routeTo({ url, headers, subprotocols, beat });
  const client = new SupervisedClient<In, Out>({
    url: typeof url === 'function' ? '' : String(url),
    options: shared.options,
    charts: chartsFor(options, parent, actors),
    context: shared.context,
    contract: shared.contract,
    platform,
    parent,
    makeReconnectPolicy: (reporter) => new ReconnectPolicy(shared.options, route, reporter),
  });
  return new ClientHandle(client);
}
