/**
 * The charts of connections, clients, pools and supervisors as XState machines, with the facts that they receive and
 * the orders that they give. They touch no socket, clock or timer.
 *
 * @packageDocumentation
 */
export * from './client.ts';
export * from './client-contract.ts';
export * from './connection.ts';
export * from './connection-contract.ts';
export * from './exit-signals.ts';
export type { Hidden } from './hidden.ts';
export { hide, reveal } from './hidden.ts';
export * from './pool.ts';
export * from './pool-contract.ts';
export * from './supervisor.ts';
export * from './topic-log.ts';
export * from './topic-log-contract.ts';
