import { Session } from 'node:inspector/promises';
import type { ServerOrders } from '../orders.ts';
import { sharesOf } from '../profile-page.ts';

const INTERVAL_MICROS = 200;

/** The orders that profile a server in Node.js. */
export function profileOrders(): Pick<ServerOrders, 'profile' | 'profiled'> {
  const session = new Session();
  return {
    async profile() {
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROS });
      await session.post('Profiler.start');
    },
    async profiled() {
      const { profile } = await session.post('Profiler.stop');
      return sharesOf(profile);
    },
  };
}
