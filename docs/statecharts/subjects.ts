import type { AnyStateMachine } from 'xstate';
import {
  clientFacts,
  clientMachine,
  connectionFacts,
  connectionMachine,
  exitSignals,
  poolFacts,
  poolMachine,
  supervisorFacts,
  supervisorMachine,
  topicLogFacts,
  topicLogMachine,
} from '../../machines/index.ts';

import {
  clientExamples,
  connectionExamples,
  type Example,
  poolExamples,
  supervisorExamples,
  topicLogExamples,
} from './examples.ts';

/** A machine to draw, and the sources of its texts. */
export interface Subject {
  readonly machine: AnyStateMachine;
  readonly title: string;
  /** The source of the machine. Its doc comment opens the page. */
  readonly source: string;
  /** The interface whose doc comments describe the orders, and its source. */
  readonly orders: { readonly name: string; readonly source: string };
  readonly facts: Readonly<Record<string, string>>;
  /** The arrows of a life without incidents. */
  readonly mainArrows: readonly string[];
  /** Pairs of states that the picture places side by side. */
  readonly besides: readonly (readonly [string, string])[];
  /** The hue of each outermost state, by the name of a variable in the style of the picture. */
  readonly tones: Readonly<Record<string, string>>;
  /** Paths through the chart that its page shows step by step. */
  readonly examples: readonly Example[];
}

/** Every chart that has a page. */
export const subjects: readonly Subject[] = [
  {
    machine: connectionMachine,
    examples: connectionExamples,
    title: 'The chart of a connection',
    source: 'machines/connection.ts',
    orders: { name: 'ConnectionOrders', source: 'machines/connection-contract.ts' },
    facts: connectionFacts,
    mainArrows: [
      'handshaking.admitting>handshaking.upgrading',
      'handshaking.upgrading>open',
      'open>closing.local',
      'open>closing.peer',
      'closing>closed',
    ],
    besides: [['handshaking', 'failed']],
    tones: {
      handshaking: 'violet',
      open: 'green',
      errored: 'red',
      closing: 'blue',
      closed: 'gray',
      failed: 'pink',
    },
  },
  {
    machine: supervisorMachine,
    examples: supervisorExamples,
    title: 'The chart of a supervisor',
    source: 'machines/supervisor.ts',
    orders: { name: 'SupervisorOrders', source: 'machines/supervisor.ts' },
    facts: { ...supervisorFacts, ...exitSignals },
    mainArrows: ['admitting>draining', 'draining>stopped'],
    besides: [],
    tones: { admitting: 'green', suspended: 'amber', draining: 'blue', stopped: 'gray' },
  },
  {
    machine: clientMachine,
    examples: clientExamples,
    title: 'The chart of a client',
    source: 'machines/client.ts',
    orders: { name: 'ClientOrders', source: 'machines/client-contract.ts' },
    facts: { ...clientFacts, ...exitSignals },
    mainArrows: [
      'idle>dialing',
      'dialing>up',
      'up>closing',
      'closing>waiting.backoff',
      'up>stopping',
      'stopping>stopped',
    ],
    besides: [],
    tones: {
      idle: 'gray',
      dialing: 'violet',
      up: 'green',
      closing: 'blue',
      idling: 'gray',
      waiting: 'amber',
      stopping: 'blue',
      stopped: 'gray',
      exhausted: 'red',
    },
  },
  {
    machine: poolMachine,
    examples: poolExamples,
    title: 'The chart of a pool',
    source: 'machines/pool.ts',
    orders: { name: 'PoolOrders', source: 'machines/pool-contract.ts' },
    facts: { ...poolFacts, ...exitSignals },
    mainArrows: ['starting>operational', 'operational>draining', 'draining>stopped'],
    besides: [],
    tones: {
      starting: 'violet',
      operational: 'green',
      degraded: 'amber',
      draining: 'blue',
      stopped: 'gray',
    },
  },
  {
    machine: topicLogMachine,
    examples: topicLogExamples,
    title: 'The chart of a durable topic',
    source: 'machines/topic-log.ts',
    orders: { name: 'TopicLogOrders', source: 'machines/topic-log-contract.ts' },
    facts: topicLogFacts,
    mainArrows: [
      'opening.subscribing>opening.asking',
      'opening.asking>following',
      'following>filling',
      'filling>following',
      'following>lingering',
      'lingering>closed',
    ],
    besides: [],
    tones: {
      opening: 'violet',
      following: 'green',
      filling: 'amber',
      lingering: 'blue',
      closed: 'gray',
    },
  },
];
