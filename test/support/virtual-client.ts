import { ChartSystem } from '../../src/chart/chart-system.ts';
import type { Platform } from '../../src/client/client-runtime.ts';
import { supervisedClient } from '../../src/client/make-client.ts';
import type { ResolvedClientOptions } from '../../src/client/options.ts';
import { ReconnectPolicy } from '../../src/client/reconnect/reconnect-policy.ts';
import type { Route } from '../../src/client/reconnect/route.ts';
import type { SupervisedClient } from '../../src/client/supervised-client.ts';
import type { Parent } from '../../src/connection/parent.ts';
import type { SharedRuntime } from '../../src/connection/shared-runtime.ts';
import { Contract, requestContracts } from '../../src/core/contract.ts';

const url = 'ws://virtual.test/';
const place = { address: 'virtual.test', path: '/' };
const fixed: Route = {
  url,
  isRenewed: false,
  target: () => ({ url, subprotocols: [], headers: {}, ...place }),
};

type VirtualPlatform = Platform & {
  parent?: Parent | null;
  charts?: ChartSystem;
  /** Where it dials, and when. A pool decides both for its members. */
  route?: Route;
  policy?: ReconnectPolicy;
};

/** A client without an entry point, for a platform of the test. */
export function virtualClient(
  options: ResolvedClientOptions,
  context: SharedRuntime,
  { parent = null, charts, route = fixed, policy, ...platform }: VirtualPlatform,
): SupervisedClient<unknown, unknown> {
  const own =
    charts ??
    parent?.charts ??
    new ChartSystem({ actorHost: null, areEager: false }, options.clock);
  const contract = new Contract(options.codec);
  const runtime = { options, context, contract, contracts: requestContracts(options) };
  return supervisedClient({ runtime, charts: own, platform, parent }, (reporter) => {
    return { route, policy: policy ?? new ReconnectPolicy(options, false, reporter) };
  });
}
