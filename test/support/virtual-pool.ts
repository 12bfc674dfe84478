import { ChartSystem } from '../../src/chart/chart-system.ts';
import type { Platform } from '../../src/client/client-runtime.ts';
import { PoolHandle } from '../../src/client/pool/create-pool.ts';
import { type PoolOptions, resolvePoolOptions } from '../../src/client/pool/pool-options.ts';
import { PoolReconnectPolicy } from '../../src/client/pool/pool-reconnect-policy.ts';
import { SupervisedPool } from '../../src/client/pool/supervised-pool.ts';
import { Upstream, Upstreams } from '../../src/client/pool/upstreams.ts';
import { nodeRoute } from '../../src/client/reconnect/node-route.ts';
import type { Route } from '../../src/client/reconnect/route.ts';
import type { SupervisedClient } from '../../src/client/supervised-client.ts';
import { type SharedRuntime, sharedRuntime } from '../../src/connection/shared-runtime.ts';
import type { Clock } from '../../src/core/clock.ts';
import { virtualClient } from './virtual-client.ts';

/** What a test knows about the members of its pool. The index of a member is its place in the order of creation. */
export interface VirtualMembers {
  platform(index: number): Platform;
  made(index: number, member: SupervisedClient<unknown, unknown>): void;
  /** The attempt of a member that begins now dials this upstream. */
  chosen(index: number, url: string): void;
}

/** A pool on the clock and the sockets of a test. */
export interface VirtualPool {
  readonly handle: PoolHandle<unknown, unknown>;
  readonly pool: SupervisedPool<unknown, unknown>;
  readonly runtime: SharedRuntime;
}

/** Creates a pool as `createPool` does, for platforms of the test. */
export function virtualPool(
  urls: readonly string[],
  given: PoolOptions & { readonly clock: Clock },
  members: VirtualMembers,
): VirtualPool {
  const { size, circuit, headers, connect, member } = resolvePoolOptions(given, given.clock);
  const { subprotocols, mooring, signal, inspect } = member;
  const options = { ...member, signal: undefined };
  const runtime = sharedRuntime(options);
  let choosing = 0;
  const routeTo = (url: string): Route => {
    const { isRenewed, target } = bound(
      nodeRoute({ url, headers, connect, subprotocols, mooring }),
    );
    const choose = () => {
      members.chosen(choosing, url);
      return target();
    };
    return { url, isRenewed, target: choose };
  };
  const upstreams = new Upstreams(urls.map((url) => new Upstream(url, routeTo(url), circuit)));
  let made = 0;
  const makeMember = (parent: SupervisedPool<unknown, unknown>) => {
    const index = made++;
    // A member reports what `random` or `retry` threw. Those of a test never throw.
    const policy = new PoolReconnectPolicy(options, upstreams, { report: () => () => {} });
    const choose = () => {
      choosing = index;
      return policy.target();
    };
    const route = { url: policy.url, isRenewed: policy.isRenewed, target: choose };
    const platform = { ...members.platform(index), parent, policy, route };
    const client = virtualClient(options, runtime, platform);
    members.made(index, client);
    return client;
  };
  const charts = new ChartSystem({ actorHost: null, areEager: false }, options.clock);
  const parts = { size, upstreams, charts, context: runtime, parent: null, signal, inspect };
  const pool = new SupervisedPool<unknown, unknown>({ ...parts, makeMember });
  return { handle: new PoolHandle(pool), pool, runtime };
}

function bound(route: Route): Route {
  return { url: route.url, isRenewed: route.isRenewed, target: () => route.target() };
}
