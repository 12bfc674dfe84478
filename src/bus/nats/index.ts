/**
 * The bus over NATS, which the processes of a service share. Requires the package `@nats-io/transport-node`.
 *
 * @packageDocumentation
 */
export { natsBus } from './nats-bus.ts';
export type { NatsBusOptions } from './options.ts';
