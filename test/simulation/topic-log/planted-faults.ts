import { GaplessRun } from '../../../src/bus/gapless-run.ts';
import { Ring } from '../../../src/bus/ring.ts';
import { TopicLog } from '../../../src/bus/topic-log.ts';
import { ChartRunner } from '../../../src/chart/runner.ts';
import type { Entry, Page, Place } from '../../../src/core/bus-log.ts';
import { TimerWheel } from '../../../src/core/timer-wheel.ts';
import { instead, type PlantedFault } from '../planted.ts';

const nothing = () => {};

type Hear = (entry: Entry) => string;

/** Hears entries with another predecessor. */
function withPrev(prevOf: (entry: Entry, top: Place) => number): () => () => void {
  return instead(GaplessRun.prototype, 'hear', function (this: GaplessRun, original, entry: Entry) {
    return (original as Hear)({ ...entry, prev: prevOf(entry, this.top) });
  });
}

/** Takes one fact for another. */
function mistaking(fact: string, other: string): () => () => void {
  return instead(ChartRunner.prototype, 'send', (original, sent: string) =>
    (original as (fact: string) => void)(sent === fact ? other : sent),
  );
}

/** The read that is under way for each log. */
const reads = new WeakMap<TopicLog, Promise<Page>>();

/** Where each ring began. */
const floors = new WeakMap<Ring, Place>();
const floorNow = Object.getOwnPropertyDescriptor(Ring.prototype, 'floor') as PropertyDescriptor;

/** Mistakes that a topic log could make. */
export const topicLogFaults: readonly PlantedFault[] = [
  {
    mistake: 'a gap is not seen',
    plant: withPrev((_entry, top) => Math.max(1, top.offset)),
    breaks: ['no-gap'],
  },
  {
    mistake: 'an entry without a predecessor is told without a look at what was dropped',
    plant: withPrev(({ prev }, top) => (prev === 0 ? Math.max(1, top.offset) : prev)),
    breaks: ['no-gap'],
  },
  {
    mistake: 'a gap is not filled',
    plant: instead(TopicLog.prototype, 'readOn', nothing),
    breaks: ['all-arrives', 'readers-catch-up'],
  },
  {
    mistake: 'only the end of a page is told',
    plant: instead(GaplessRun.prototype, 'take', (original, entries: readonly Entry[]) =>
      (original as (some: readonly Entry[]) => boolean)(entries.slice(-1)),
    ),
    breaks: ['no-gap'],
  },
  {
    mistake: 'nobody checks where the topic ends',
    plant: instead(TopicLog.prototype, 'checkTail', nothing),
    breaks: ['all-arrives', 'readers-catch-up'],
  },
  {
    mistake: 'an entry that the bus has named is not awaited',
    plant: mistaking('tail.advanced', 'tail.told'),
    breaks: ['all-arrives', 'readers-catch-up'],
  },
  {
    mistake: 'the end of a topic without messages is believed without a look at what was dropped',
    plant: instead(
      GaplessRun.prototype,
      'isRewrittenIn',
      (original, ...args) => original(...args) ?? false,
    ),
    breaks: ['idle-is-true', 'no-gap'],
  },
  {
    mistake: 'what has expired is passed over',
    plant: mistaking('place.expired', 'gap.filled'),
    breaks: ['all-arrives', 'no-gap', 'readers-catch-up'],
  },
  {
    mistake: 'another message with the number of the last one is taken for it',
    plant: instead(GaplessRun.prototype, 'hear', (original, entry: Entry) => {
      const heard = (original as Hear)(entry);
      return heard === 'contradicting' ? 'seen' : heard;
    }),
    breaks: ['contradiction-is-noticed'],
  },
  {
    mistake: 'a past that was rewritten is not reported',
    plant: mistaking('history.rewritten', 'nothing.happened'),
    breaks: ['a-reset-is-told', 'contradiction-is-noticed'],
  },
  {
    mistake: 'readers at different places share a read',
    plant: instead(TopicLog.prototype, 'after', function (this: TopicLog, original, ...args) {
      const known = reads.get(this);
      if (known !== undefined) return known;
      const page = original(...args) as Page | Promise<Page>;
      if (page instanceof Promise) {
        reads.set(this, page);
        const forget = () => reads.delete(this);
        page.then(forget, forget);
      }
      return page;
    }),
    breaks: ['no-gap', 'no-false-alarm', 'readers-catch-up', 'a-reset-is-told', 'all-arrives'],
  },
  {
    mistake: 'a ring answers for entries that it has dropped',
    plant: () => {
      const get = function (this: Ring): Place {
        const floor = floors.get(this) ?? (floorNow.get?.call(this) as Place);
        floors.set(this, floor);
        return floor;
      };
      Object.defineProperty(Ring.prototype, 'floor', { ...floorNow, get });
      return () => Object.defineProperty(Ring.prototype, 'floor', floorNow);
    },
    breaks: ['no-gap', 'no-false-alarm'],
  },
  {
    mistake: 'entries are told before the log says where it is',
    plant: instead(GaplessRun.prototype, 'take', function (this: GaplessRun, original, entries) {
      const { top } = this;
      Object.defineProperty(this, 'top', { get: () => top, configurable: true });
      const isWhole = (original as (all: unknown) => boolean)(entries);
      Reflect.deleteProperty(this, 'top');
      return isWhole;
    }),
    breaks: ['top-is-true'],
  },
  {
    mistake: 'a log that nobody needs stays',
    plant: mistaking('audience.left', 'nothing.happened'),
    breaks: ['closes-when-left'],
  },
  {
    mistake: 'the bus is asked again and again',
    plant: instead(TimerWheel.prototype, 'postpone', (original, deadline: unknown) =>
      (original as (one: unknown, delayMs: number) => void)(deadline, 1),
    ),
    breaks: ['never-busy'],
  },
];
