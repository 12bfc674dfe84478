export * from './connection.ts';
export * from './connection-contract.ts';
export * from './supervisor.ts';
