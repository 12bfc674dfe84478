import type { ResolvedClientOptions } from '../../src/client/options.ts';
import type { Platform } from '../../src/client/platform.ts';
import { Redial } from '../../src/client/redial.ts';
import { SupervisedClient } from '../../src/client/supervised-client.ts';
import type { Parent } from '../../src/connection/parent.ts';
import type { PortContext } from '../../src/connection/port-host.ts';
import { Contract } from '../../src/core/contract.ts';

const url = 'ws://virtual.test/';
const target = () => ({ url, subprotocols: [], headers: {} });

/** A client without an entry point, for a platform of the test's own. */
export function virtualClient(
  options: ResolvedClientOptions,
  context: PortContext,
  { parent = null, ...platform }: Platform & { parent?: Parent | null },
): SupervisedClient<unknown, unknown> {
  return new SupervisedClient({
    url,
    makeRedial: (reporter) => new Redial(options, { isRenewed: false, target }, reporter),
    parent,
    options,
    context,
    contract: new Contract(options.codec),
    platform,
  });
}
