import { ChartSystem } from '../../src/chart/chart-system.ts';
import type { ResolvedClientOptions } from '../../src/client/options.ts';
import type { Platform } from '../../src/client/platform.ts';
import { ReconnectPolicy } from '../../src/client/reconnect/reconnect-policy.ts';
import { SupervisedClient } from '../../src/client/supervised-client.ts';
import type { SharedRuntime } from '../../src/connection/connection-host.ts';
import type { Parent } from '../../src/connection/parent.ts';
import { Contract } from '../../src/core/contract.ts';

const url = 'ws://virtual.test/';
const target = () => ({ url, subprotocols: [], headers: {} });

/** A client without an entry point, for a platform of the test's own. */
export function virtualClient(
  options: ResolvedClientOptions,
  context: SharedRuntime,
  { parent = null, ...platform }: Platform & { parent?: Parent | null },
): SupervisedClient<unknown, unknown> {
  return new SupervisedClient({
    url,
    makeReconnectPolicy: (reporter) =>
      new ReconnectPolicy(options, { isRenewed: false, target }, reporter),
    parent,
    options,
    charts: parent?.charts ?? new ChartSystem({ actorHost: null, areEager: false }),
    context,
    contract: new Contract(options.codec),
    platform,
  });
}
