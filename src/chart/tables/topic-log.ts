import type { ChartTable } from '../table.ts';

/** Made from `machines/topic-log.ts` by `npm run tables`. */
export const topicLogTable: ChartTable = {
  name: 'topic-log',
  orders: [
    ['subscribe'],
    ['askStart'],
    ['finish'],
    ['begin'],
    ['scheduleCheck'],
    ['pause'],
    ['readOn'],
    ['interrupt', { cause: 'expired' }],
    ['interrupt', { cause: 'reset' }],
    ['checkTail'],
    ['linger'],
    ['expectEntry'],
    ['countFailure'],
  ],
  start: [['opening.subscribing'], [0]],
  final: ['closed'],
  edges: {
    '': {},
    opening: { 'audience.left': [['closed'], [2]] },
    'opening.subscribing': {
      'interest.ready': [['opening.asking'], [1]],
      'deadline.passed': [['opening.asking'], [1]],
    },
    'opening.asking': {
      'tail.told': [['following.current'], [3, 4]],
      'history.rewritten': [[], [1]],
      'attempt.failed': [['opening.pausing'], [5]],
      'bus.lost': [['opening.pausing'], [5]],
      'deadline.passed': [['opening.pausing'], [5]],
    },
    'opening.pausing': {
      'bus.returned': [['opening.asking'], [1]],
      'deadline.passed': [['opening.asking'], [1]],
    },
    following: {
      'gap.seen': [['filling.reading'], [6]],
      'place.expired': [['opening.asking'], [7, 1]],
      'history.rewritten': [['opening.asking'], [8, 1]],
      'bus.returned': [['following.checking'], [9]],
      'audience.left': [['lingering'], [10]],
    },
    'following.current': { 'deadline.passed': [['following.checking'], [9]] },
    'following.checking': {
      'tail.told': [['following.current'], [4]],
      'tail.advanced': [['following.expecting'], [11]],
      'attempt.failed': [['following.current'], [12, 4]],
      'bus.lost': [['following.current'], [4]],
      'deadline.passed': [['following.current'], [12, 4]],
    },
    'following.expecting': {
      'gap.filled': [['following.current'], [4]],
      'deadline.passed': [['filling.reading'], [6]],
    },
    filling: {
      'gap.filled': [['following.current'], [4]],
      'history.rewritten': [['opening.asking'], [8, 1]],
      'audience.left': [['closed'], [2]],
    },
    'filling.reading': {
      'page.read': [[], [6]],
      'place.expired': [['opening.asking'], [7, 1]],
      'attempt.failed': [['filling.pausing'], [5]],
      'bus.lost': [['filling.pausing'], [5]],
      'deadline.passed': [['filling.pausing'], [5]],
    },
    'filling.pausing': {
      'bus.returned': [['filling.reading'], [6]],
      'deadline.passed': [['filling.reading'], [6]],
    },
    lingering: {
      'gap.seen': [['closed'], [2]],
      'history.rewritten': [['closed'], [2]],
      'audience.returned': [['following.checking'], [9]],
      'deadline.passed': [['closed'], [2]],
    },
    closed: {},
  },
};
