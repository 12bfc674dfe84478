import type { Bus } from '../../core/bus.ts';
import { NatsLink } from './nats-link.ts';
import { type NatsBusOptions, resolveNatsBusOptions } from './options.ts';

/**
 * Creates a bus over NATS, for supervisors in several processes and on several machines. Core NATS is enough, unless there are
 * durable topics, which need JetStream. Requires the package `@nats-io/transport-node`.
 *
 * @throws MooringError `invalid-options`, with the path of every wrong option.
 *
 * @example
 * ```ts
 * import { createSupervisor } from 'mooring';
 * import { natsBus } from 'mooring/nats';
 *
 * const supervisor = createSupervisor({ bus: natsBus({ servers: 'nats://127.0.0.1:4222' }) });
 * ```
 */
export function natsBus(options: NatsBusOptions = {}): Bus {
  const checked = resolveNatsBusOptions(options);
  return { name: 'nats', open: (host) => new NatsLink(checked, host) };
}
