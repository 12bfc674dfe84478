import { type Bus, memoryBus } from '../../src/index.ts';
import { busSuite } from '../support/bus-suite.ts';

const buses = new Map<string, Bus>();

busSuite('memory bus', {
  make(service) {
    const bus = buses.get(service) ?? memoryBus();
    buses.set(service, bus);
    return bus;
  },
});
