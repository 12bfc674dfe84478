export * from './client.ts';
export * from './client-contract.ts';
export * from './connection.ts';
export * from './connection-contract.ts';
export * from './exit-signals.ts';
export * from './pool.ts';
export * from './pool-contract.ts';
export * from './supervisor.ts';
