import { parentOf } from '../../connection/parent.ts';
import { systemClock } from '../../core/clock.ts';
import { chartsFor } from '../client-runtime.ts';
import { ClientStreams } from '../client-streams.ts';
import { nodeActors, nodePlatform } from '../node-options.ts';
import { sharedClientRuntime } from '../node-runtime.ts';
import { routeTo } from '../reconnect/route.ts';
import { idle, SupervisedClient } from '../supervised-client.ts';
import { PoolHandle } from './pool-handle.ts';
import { checkedUrls, type PoolOptions, resolvePoolOptions } from './pool-options.ts';
import { PoolReconnectPolicy } from './pool-reconnect-policy.ts';
import type { Pool } from './pool-types.ts';
import { SupervisedPool } from './supervised-pool.ts';
import { Upstream, Upstreams } from './upstreams.ts';

/**
 * Keeps so many connections open to a set of peers, until it is drained.
 *
 * Each is replaced when it is lost, with backoff; a peer at which attempts fail one after the other is left alone for a
 * while, and the others take over.
 *
 * @throws MooringError `invalid-options`, naming every option, or URL, that is wrong by its path.
 *
 * @example
 * ```ts
 * const pool = createPool(['wss://a.example.com/', 'wss://b.example.com/'], { size: 8 });
 * pool.checkout()?.send({ subscribe: 'EUR' });
 * ```
 */
export function createPool<In = unknown, Out = unknown>(
  urls: readonly (string | URL)[],
  given: PoolOptions<In, Out> = {},
): Pool<In, Out> {
  const texts = checkedUrls(urls);
  const checked = resolvePoolOptions(given, systemClock);
  const { size, circuit, headers = {}, connect, supervisor, actors, member } = checked;
  const { subprotocols, beat, signal, inspect } = member;
  const own = { signal: undefined, inspect: undefined };
  const runtime = sharedClientRuntime<In, Out>({ ...member, ...own });
  const parent = parentOf(supervisor);
  const charts = chartsFor(member, parent, nodeActors(actors));
  const platform = nodePlatform(connect);
  const upstreams = new Upstreams(
    texts.map((url) => new Upstream(url, routeTo({ url, headers, subprotocols, beat }), circuit)),
  );
  const { context } = runtime;
  const makeMember = (pool: SupervisedPool<In, Out>) => {
    const streams = new ClientStreams<In>(idle, platform.warnings);
    const policy = new PoolReconnectPolicy(runtime.options, upstreams, streams);
    const parts = { runtime, charts, platform, parent: pool, streams, route: policy, policy };
    return new SupervisedClient<In, Out>(parts, '');
  };
  const parts = { size, upstreams, charts, context, parent, signal, inspect, makeMember };
  return new PoolHandle(new SupervisedPool<In, Out>(parts));
}
