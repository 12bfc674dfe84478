import { portContext } from '../connection/port-context.ts';
import type { Clock } from '../core/clock.ts';
import { Contract } from '../core/contract.ts';
import { ClientHandle } from './client-handle.ts';
import type { Client } from './client-types.ts';
import { type ClientOptions, resolveClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import { SupervisedClient } from './supervised-client.ts';

/** What an entry point brings along: where it runs, and what can be asked for there. */
export interface Surroundings {
  readonly platform: Platform;
  /** The clock, unless the options name another. */
  readonly clock: Clock;
  readonly headers: Readonly<Record<string, string>>;
}

/** Makes a client for wherever it runs. @throws SupervisorError `invalid-options` */
export function makeClient<In, Out>(
  url: string | URL,
  given: ClientOptions<In, Out>,
  { platform, clock, headers }: Surroundings,
): Client<In, Out> {
  const options = resolveClientOptions(given, clock);
  const { codec, messages, sends, subprotocols } = options;
  const client = new SupervisedClient<In, Out>({
    target: { url: String(url), subprotocols, headers },
    options,
    context: portContext(options),
    contract: new Contract(codec, messages, sends),
    platform,
  });
  return new ClientHandle(client);
}
