import type { ServerOrders } from '../orders.ts';
import { publishing } from './publishing.ts';
import type { Subject } from './subject.ts';
import { TEXT } from './text.ts';
import { cpuMicros, longestPauseMs, MemoryWatch, untilCount } from './watching.ts';

/** What a server is asked, whatever runs it; how it listens and collects garbage is its own matter. */
export function serverOrders({
  open,
  present,
  publish,
}: Omit<Subject, 'server'>): Omit<ServerOrders, 'listen' | 'collect' | 'liveBytes'> {
  let memory: MemoryWatch | null = null;
  return {
    untilOpen: (count) => untilCount(() => open() === count, count, 'open'),
    untilPresent: (count) => untilCount(() => present() <= count, count, 'left'),
    cpuMicros,
    publish: (stream) => publishing(stream, TEXT, publish),
    longestPauseMs,
    watchMemory() {
      memory = new MemoryWatch();
    },
    grownBytes: () => memory?.grownBytes() ?? 0,
  };
}
