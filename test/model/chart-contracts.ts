import type { AnyStateMachine } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import { type ClientOrders, clientFacts } from '../../machines/client-contract.ts';
import { connectionMachine } from '../../machines/connection.ts';
import { type ConnectionOrders, connectionFacts } from '../../machines/connection-contract.ts';
import { exitSignals } from '../../machines/exit-signals.ts';
import { poolMachine } from '../../machines/pool.ts';
import { type PoolOrders, poolFacts } from '../../machines/pool-contract.ts';
import {
  type SupervisorOrders,
  supervisorFacts,
  supervisorMachine,
} from '../../machines/supervisor.ts';
import { topicLogMachine } from '../../machines/topic-log.ts';
import { type TopicLogOrders, topicLogFacts } from '../../machines/topic-log-contract.ts';

/** A chart with everything that these checks need. */
export interface Chart {
  readonly machine: AnyStateMachine;
  readonly facts: Readonly<Record<string, string>>;
  readonly orders: readonly string[];
  /** States that may last indefinitely, because their purpose is to wait. */
  readonly resting: readonly string[];
}

const connectionOrders: Record<keyof ConnectionOrders, true> = {
  dial: true,
  upgrade: true,
  refuseUpgrade: true,
  refuseWithClose: true,
  announceOpen: true,
  admitMessages: true,
  announceError: true,
  announceClosing: true,
  sendClose: true,
  destroy: true,
  startDeadline: true,
  announceChange: true,
  finish: true,
  outcome: true,
};

const supervisorOrders: Record<keyof SupervisorOrders, true> = {
  announceSuspended: true,
  announceAdmitting: true,
  beginDrain: true,
  expireAll: true,
  recordCrash: true,
  finish: true,
};

const clientOrders: Record<keyof ClientOrders, true> = {
  ...{ dial: true, announceUp: true, resetBackoff: true, startDelay: true, probe: true },
  ...{ giveUp: true, rest: true, endConnection: true, finish: true },
};

const poolOrders: Record<keyof PoolOrders, true> = {
  beginDrain: true,
  expireAll: true,
  finish: true,
};

const topicLogOrders: Record<keyof TopicLogOrders, true> = {
  ...{ subscribe: true, askStart: true, begin: true, scheduleCheck: true, checkTail: true },
  ...{ countFailure: true, expectEntry: true, readOn: true, pause: true, interrupt: true },
  ...{ linger: true, finish: true },
};

/** A connection. Each of its states has a deadline. */
export const connection: Chart = {
  machine: connectionMachine,
  facts: connectionFacts,
  // `outcome` is a query, and the chart's output calls it.
  orders: Object.keys(connectionOrders).filter((order) => order !== 'outcome'),
  resting: [],
};

/** A supervisor. It admits until the application drains it. */
export const supervisor: Chart = {
  machine: supervisorMachine,
  facts: { ...supervisorFacts, ...exitSignals },
  orders: Object.keys(supervisorOrders),
  resting: ['admitting', 'suspended'],
};

/** A client dials indefinitely, and each of its states lasts as long as its connection or its own delay. */
const client: Chart = {
  machine: clientMachine,
  facts: { ...clientFacts, ...exitSignals },
  orders: Object.keys(clientOrders),
  resting: [
    ...['idle', 'dialing', 'dialing.connecting', 'dialing.welcoming'],
    ...['up', 'up.settling', 'up.stable', 'up.suspect', 'closing', 'idling'],
    ...['waiting', 'waiting.now', 'waiting.backoff', 'waiting.deferred', 'waiting.awake'],
    ...['waiting.slow', 'waiting.offline', 'stopping', 'exhausted'],
  ],
};

/** A pool exists indefinitely, and its members have deadlines of their own. */
const pool: Chart = {
  machine: poolMachine,
  facts: { ...poolFacts, ...exitSignals },
  orders: Object.keys(poolOrders),
  resting: ['starting', 'operational', 'degraded'],
};

/** A topic is followed for as long as it is needed, but no answer is awaited indefinitely. */
const topicLog: Chart = {
  machine: topicLogMachine,
  facts: topicLogFacts,
  orders: Object.keys(topicLogOrders),
  resting: ['opening', 'following', 'filling'],
};

/** All charts by name. */
export const charts = Object.entries({ connection, supervisor, client, pool, topicLog });
