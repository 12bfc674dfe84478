import { setup } from 'xstate';
import { type Hidden, order } from './hidden.ts';
import type { Interruption, TopicLogFact, TopicLogOrders } from './topic-log-contract.ts';

const expired = { type: 'interrupt', params: { cause: 'expired' } } as const;
const rewritten = { type: 'interrupt', params: { cause: 'reset' } } as const;

/**
 * The life of a durable topic in one process: it finds the end of the topic, follows it from there, and fills what it has
 * missed.
 *
 * Entries never enter this chart. It decides only what the bus is asked, and when.
 */
export const topicLogMachine = setup({
  types: {} as {
    context: Hidden<TopicLogOrders>;
    input: Hidden<TopicLogOrders>;
    events: TopicLogFact;
    meta: { deadline?: string };
  },
  actions: {
    subscribe: order<TopicLogOrders>((log) => log.subscribe()),
    askStart: order<TopicLogOrders>((log) => log.askStart()),
    begin: order<TopicLogOrders>((log) => log.begin()),
    scheduleCheck: order<TopicLogOrders>((log) => log.scheduleCheck()),
    checkTail: order<TopicLogOrders>((log) => log.checkTail()),
    countFailure: order<TopicLogOrders>((log) => log.countFailure()),
    expectEntry: order<TopicLogOrders>((log) => log.expectEntry()),
    readOn: order<TopicLogOrders>((log) => log.readOn()),
    pause: order<TopicLogOrders>((log) => log.pause()),
    interrupt: order<TopicLogOrders, Interruption>((log, params) => log.interrupt(params)),
    linger: order<TopicLogOrders>((log) => log.linger()),
    finish: order<TopicLogOrders>((log) => log.finish()),
  },
}).createMachine({
  id: 'topic-log',
  context: ({ input }) => input,
  initial: 'opening',
  states: {
    opening: {
      description: 'Its place in the topic is not known. Entries that are heard wait.',
      initial: 'subscribing',
      states: {
        subscribing: {
          description: 'The bus is asked to deliver what is kept from now on.',
          meta: { deadline: 'answerMs' },
          entry: 'subscribe',
          on: { 'interest.ready': 'asking', 'deadline.passed': 'asking' },
        },
        asking: {
          description: 'The bus is asked where the topic ends.',
          meta: { deadline: 'answerMs' },
          entry: 'askStart',
          on: {
            'tail.told': { target: '#topic-log.following', actions: 'begin' },
            'history.rewritten': { actions: 'askStart' },
            'attempt.failed': 'pausing',
            'bus.lost': 'pausing',
            'deadline.passed': 'pausing',
          },
        },
        pausing: {
          description: 'The bus has not answered. The next attempt comes later.',
          meta: { deadline: 'retryMs' },
          entry: 'pause',
          on: { 'bus.returned': 'asking', 'deadline.passed': 'asking' },
        },
      },
      on: { 'audience.left': 'closed' },
    },
    following: {
      description:
        'All entries up to its place are told, and the next one is told when it is heard.',
      initial: 'current',
      states: {
        current: {
          description: 'Nothing is known to be missing.',
          meta: { deadline: 'checkMs' },
          entry: 'scheduleCheck',
          on: { 'deadline.passed': 'checking' },
        },
        checking: {
          description: 'The bus is asked where the topic ends, in case the last entry was missed.',
          meta: { deadline: 'answerMs' },
          entry: 'checkTail',
          on: {
            'tail.told': 'current',
            'tail.advanced': 'expecting',
            'bus.lost': 'current',
            'attempt.failed': { target: 'current', actions: 'countFailure' },
            'deadline.passed': { target: 'current', actions: 'countFailure' },
          },
        },
        expecting: {
          description: 'The bus has named an entry that is not heard yet. It may be on its way.',
          meta: { deadline: 'graceMs' },
          entry: 'expectEntry',
          on: { 'gap.filled': 'current', 'deadline.passed': '#topic-log.filling' },
        },
      },
      on: {
        'bus.returned': '.checking',
        'gap.seen': 'filling',
        'place.expired': { target: 'opening.asking', actions: expired },
        'history.rewritten': { target: 'opening.asking', actions: rewritten },
        'audience.left': 'lingering',
      },
    },
    filling: {
      description: 'Entries are missing. Those that are heard after them wait.',
      initial: 'reading',
      states: {
        reading: {
          description: 'The bus is asked for what is missing.',
          meta: { deadline: 'answerMs' },
          entry: 'readOn',
          on: {
            'page.read': { actions: 'readOn' },
            'place.expired': { target: '#topic-log.opening.asking', actions: expired },
            'attempt.failed': 'pausing',
            'bus.lost': 'pausing',
            'deadline.passed': 'pausing',
          },
        },
        pausing: {
          description: 'The bus has not answered. The next attempt comes later.',
          meta: { deadline: 'retryMs' },
          entry: 'pause',
          on: { 'bus.returned': 'reading', 'deadline.passed': 'reading' },
        },
      },
      on: {
        'gap.filled': 'following',
        'history.rewritten': { target: 'opening.asking', actions: rewritten },
        'audience.left': 'closed',
      },
    },
    lingering: {
      description:
        'Nobody needs the topic, but a member that comes back soon finds the newest entries.',
      meta: { deadline: 'lingerMs' },
      entry: 'linger',
      on: {
        'audience.returned': 'following.checking',
        'gap.seen': 'closed',
        'history.rewritten': 'closed',
        'deadline.passed': 'closed',
      },
    },
    closed: {
      description: 'The topic is not followed any more.',
      type: 'final',
      entry: 'finish',
    },
  },
});
