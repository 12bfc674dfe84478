export { natsBus } from './nats-bus.ts';
export type { NatsBusOptions } from './options.ts';
