/**
 * The bus over NATS, which the processes of a service share. Requires the package `@nats-io/transport-node`.
 *
 * @packageDocumentation
 */
export type { Retention } from '../../core/bus-log.ts';
export { natsBus } from './nats-bus.ts';
export type { NatsBusOptions, Replicas } from './options.ts';
