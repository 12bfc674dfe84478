import { parentSide } from '../connection/parent.ts';
import { portContext } from '../connection/port-context.ts';
import { systemClock } from '../core/clock.ts';
import { Contract } from '../core/contract.ts';
import { SupervisorError } from '../core/errors.ts';
import { Berth, type BerthParts } from './berth.ts';
import { isPlainObject } from './check.ts';
import { MemberRedial } from './member-redial.ts';
import { checkNodeOptions, type NodeClientOptions, nodePlatform } from './node-options.ts';
import { restartDefaults } from './options.ts';
import { PoolHandle } from './pool-handle.ts';
import { checkedUrls, type PoolOptions, resolvePoolOptions } from './pool-options.ts';
import type { Pool } from './pool-types.ts';
import { SupervisedClient } from './supervised-client.ts';
import { SupervisedPool } from './supervised-pool.ts';
import { routeTo } from './target.ts';
import { Upstreams } from './upstreams.ts';

/**
 * Keeps so many connections open to a set of peers, until it is drained.
 *
 * Each is replaced when it is lost, with backoff; a peer at which attempts fail one after the other is left alone for a
 * while, and the others take over.
 *
 * @throws SupervisorError `invalid-options`, naming every option, or URL, that is wrong by its path.
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
  if (!isPlainObject(given)) {
    throw new SupervisorError('invalid-options', 'options: must be an object');
  }
  checkNodeOptions(given as NodeClientOptions);
  const { headers = {}, connect, supervisor, ...rest } = given;
  const { size, circuit, member: options } = resolvePoolOptions<In, Out>(rest, systemClock);
  const parent = supervisor?.[parentSide] ?? null;
  const { subprotocols, beat, codec, messages, sends, signal, inspect } = options;
  const context = portContext({ ...options, inspect: parent?.isInspected || inspect });
  const platform = nodePlatform(connect);
  const contract = new Contract<In, Out>(codec, messages, sends);
  const upstreams = new Upstreams(texts, circuit);
  const berths: BerthParts = {
    upstreams,
    routeTo: (url) => routeTo({ url, headers, subprotocols, beat }),
    isRenewed: typeof headers === 'function',
    now: () => context.clock.now(),
  };
  const redialOptions = { ...options, restarts: restartDefaults };
  const pool = new SupervisedPool<In, Out>({
    ...{ size, upstreams, context, parent, signal, inspect },
    makeMember: (pool) =>
      new SupervisedClient<In, Out>({
        url: '',
        makeRedial: (reporter) => new MemberRedial(redialOptions, new Berth(berths), reporter),
        parent: pool,
        options: { ...options, signal: undefined, inspect: undefined },
        ...{ context, contract, platform },
      }),
  });
  return new PoolHandle(pool);
}
