import type { ServerOrders } from '../orders.ts';
import { appending } from './appending.ts';
import { publishing } from './publishing.ts';
import type { Subject } from './subject.ts';
import { TEXT } from './text.ts';
import { cpuMicros, longestPauseMs, MemoryWatch, repeated, untilCount } from './watching.ts';

/** The orders that every program implements in its own way, or not at all. */
type OwnOrders =
  | 'listen'
  | 'leave'
  | 'collect'
  | 'liveBytes'
  | 'watchPauses'
  | 'watchedPauseMs'
  | 'profile'
  | 'profiled';

/** The orders for a server, whichever program runs it. */
export function serverOrders(subject: Omit<Subject, 'server'>): Omit<ServerOrders, OwnOrders> {
  const { open, present, received = () => Number.NaN } = subject;
  let memory: MemoryWatch | null = null;
  return {
    untilOpen: (count) => untilCount(() => open() === count, count, 'open'),
    untilPresent: (count) => untilCount(() => present() <= count, count, 'left'),
    cpuMicros,
    publish: (stream) => publishing(stream, TEXT, subject),
    append: (plan) => appending(plan, () => subject.append?.(TEXT)),
    untilReceived: (count) => untilCount(() => received() === count, count, 'received'),
    joinTopics: (count) => subject.joinTopics?.(count),
    joinOwnTopics: async (count) => subject.joinOwnTopics?.(count),
    workMicros: ({ work, forMs }) => repeated(subject.workOf?.(work), forMs),
    longestPauseMs,
    watchMemory() {
      memory = new MemoryWatch();
    },
    residentBytes() {
      globalThis.gc?.();
      return process.memoryUsage.rss();
    },
    grownBytes: () => memory?.grownBytes() ?? 0,
  };
}
