import { clientMachine } from '../../machines/client.ts';
import { clientFacts } from '../../machines/client-contract.ts';
import { connectionMachine } from '../../machines/connection.ts';
import { connectionFacts } from '../../machines/connection-contract.ts';
import { poolMachine } from '../../machines/pool.ts';
import { poolFacts } from '../../machines/pool-contract.ts';
import { supervisorFacts, supervisorMachine } from '../../machines/supervisor.ts';
import { topicLogMachine } from '../../machines/topic-log.ts';
import { topicLogFacts } from '../../machines/topic-log-contract.ts';
import type { Chart } from './table-of.ts';

/** Every chart that Mooring runs. */
export const charts: readonly Chart[] = [
  { name: 'connection', machine: connectionMachine, facts: Object.keys(connectionFacts) },
  { name: 'client', machine: clientMachine, facts: Object.keys(clientFacts) },
  { name: 'pool', machine: poolMachine, facts: Object.keys(poolFacts) },
  { name: 'supervisor', machine: supervisorMachine, facts: Object.keys(supervisorFacts) },
  { name: 'topic-log', machine: topicLogMachine, facts: Object.keys(topicLogFacts) },
];
