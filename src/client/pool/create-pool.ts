import { parentOf } from '../../connection/parent.ts';
import { systemClock } from '../../core/clock.ts';
import { chartsFor } from '../client-runtime.ts';
import { nodeActors, nodePlatform } from '../node-options.ts';
import { sharedClientRuntime } from '../node-runtime.ts';
import { type Route, routeTo } from '../reconnect/target.ts';
import { SupervisedClient } from '../supervised-client.ts';
import { PoolHandle } from './pool-handle.ts';
import { checkedUrls, type PoolOptions, resolvePoolOptions } from './pool-options.ts';
import { PoolReconnectPolicy } from './pool-reconnect-policy.ts';
import type { Pool } from './pool-types.ts';
import { SupervisedPool } from './supervised-pool.ts';
import { UpstreamLease, type UpstreamLeaseParts } from './upstream-lease.ts';
import { Upstreams } from './upstreams.ts';

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
  const { size, circuit, headers = {}, connect, supervisor, actors } = checked;
  const options = checked.member;
  const parent = parentOf(supervisor);
  const { subprotocols, beat, signal, inspect } = options;
  const { context, contract } = sharedClientRuntime(options);
  const charts = chartsFor(options, parent, nodeActors(actors));
  const platform = nodePlatform(connect);
  const upstreams = new Upstreams(texts, circuit);
  const routes = new Map(
    texts.map((url) => [url, routeTo({ url, headers, subprotocols, beat })] as const),
  );
  const leaseParts: UpstreamLeaseParts = {
    upstreams,
    routeTo: (url) => routes.get(url) as Route,
    isRenewed: typeof headers === 'function',
    now: () => context.clock.now(),
  };
  const pool = new SupervisedPool<In, Out>({
    ...{ size, upstreams, charts, context, parent, signal, inspect },
    makeMember: (pool) =>
      new SupervisedClient<In, Out>({
        url: '',
        makeReconnectPolicy: (reporter) =>
          new PoolReconnectPolicy(options, new UpstreamLease(leaseParts), reporter),
        parent: pool,
        options: { ...options, signal: undefined, inspect: undefined },
        ...{ charts, context, contract, platform },
      }),
  });
  return new PoolHandle(pool);
}
