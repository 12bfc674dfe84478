import type { Observable } from 'rxjs';
import { drainPlan, poolDrain } from '../../connection/drain.ts';
import { parentOf } from '../../connection/parent.ts';
import type { ChartActor } from '../../core/actor.ts';
import { systemClock } from '../../core/clock.ts';
import type { DialedConnection } from '../../core/connection.ts';
import type { ClientEvent } from '../../core/events.ts';
import { printAs } from '../../core/text.ts';
import { chartsFor } from '../client-runtime.ts';
import type { Ending } from '../client-types.ts';
import { supervisedClient } from '../make-client.ts';
import { nodeActors, nodePlatform } from '../node-options.ts';
import { sharedClientRuntime } from '../node-runtime.ts';
import { nodeRoute } from '../reconnect/node-route.ts';
import { checkedUrls, type PoolOptions, resolvePoolOptions } from './pool-options.ts';
import { PoolReconnectPolicy } from './pool-reconnect-policy.ts';
import type { Pool, PoolDrainOptions, PoolDrainReport, PoolStatus } from './pool-types.ts';
import { SupervisedPool } from './supervised-pool.ts';
import { Upstream, Upstreams } from './upstreams.ts';

/**
 * Creates a pool, which keeps a fixed number of connections open across a set of peers until you drain it.
 *
 * The pool replaces a lost connection, with backoff. If attempts at one peer fail one after another, the pool does not
 * dial that peer for a while, and the other peers take over.
 *
 * @throws MooringError `invalid-options`, with the path of every wrong option or URL.
 *
 * @example
 * ```ts
 * const pool = createPool(['wss://a.example.com/', 'wss://b.example.com/'], { size: 8 });
 * await firstValueFrom(pool.status$.pipe(filter(({ open }) => open > 0)));
 * pool.checkout()?.send({ subscribe: 'EUR' });
 * ```
 */
export function createPool<
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
>(
  urls: readonly (string | URL)[],
  given?: PoolOptions<In, Out, Ask, Answer, Request, Reply>,
): Pool<In, Out, Ask, Answer>;
export function createPool(urls: readonly (string | URL)[], given: PoolOptions = {}): Pool {
  const texts = checkedUrls(urls);
  const checked = resolvePoolOptions(given, systemClock);
  const { size, circuit, headers, connect, supervisor, actors, member } = checked;
  const { subprotocols, mooring, signal, inspect } = member;
  const own = { signal: undefined, inspect: undefined };
  const runtime = sharedClientRuntime({ ...member, ...own });
  const parent = parentOf(supervisor);
  const charts = chartsFor(member, parent, nodeActors(actors));
  const directions = { headers, connect, subprotocols, mooring };
  const upstreams = new Upstreams(
    texts.map((url) => new Upstream(url, nodeRoute({ url, ...directions }), circuit)),
  );
  const { context } = runtime;
  const makeMember = (pool: SupervisedPool<unknown, unknown>) =>
    supervisedClient({ runtime, charts, platform: nodePlatform, parent: pool }, (reporter) => {
      const policy = new PoolReconnectPolicy(runtime.options, upstreams, reporter);
      return { route: policy, policy };
    });
  const parts = { size, upstreams, charts, context, parent, signal, inspect, makeMember };
  return new PoolHandle(new SupervisedPool(parts));
}

/** The public side of a pool. @internal */
export class PoolHandle<In, Out> implements Pool<In, Out> {
  /** What error messages call the object. */
  static readonly spokenName = 'a pool';

  readonly #pool: SupervisedPool<In, Out>;

  constructor(pool: SupervisedPool<In, Out>) {
    this.#pool = pool;
  }

  get status(): PoolStatus {
    return this.#pool.status;
  }

  get actor(): ChartActor {
    return this.#pool.actor.reader(() => undefined, this.#pool.streams.report('actor'));
  }

  get status$(): Observable<PoolStatus> {
    return this.#pool.streams.statuses.observable;
  }

  get messages$(): Observable<In> {
    return this.#pool.streams.messages.observable;
  }

  get endings$(): Observable<Ending> {
    return this.#pool.streams.endings.observable;
  }

  get events$(): Observable<ClientEvent<Out>> {
    // The messages in its events are those that were passed to `send`.
    return this.#pool.streams.events.observable as Observable<ClientEvent<Out>>;
  }

  get connections(): Iterable<DialedConnection<In, Out>> {
    return this.#pool.connections;
  }

  checkout(): DialedConnection<In, Out> | undefined {
    return this.#pool.checkout();
  }

  async drain(options: PoolDrainOptions = {}): Promise<PoolDrainReport> {
    return this.#pool.drain(drainPlan(options, poolDrain), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  static {
    // Without the URLs, which may contain credentials.
    printAs(PoolHandle.prototype, 'Pool', (pool) => {
      const { state, size, open } = pool.status;
      return { state, size, open, address: pool.#pool.address };
    });
  }
}
