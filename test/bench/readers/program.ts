/** The process of the clients: a crowd of readers that carries out the orders of its parent. */
import { carryOut } from '../lines.ts';
import type { ReaderOrders } from '../orders.ts';
import { churn } from './churn.ts';
import { Crowd } from './crowd.ts';
import { LocalAddresses } from './local-address.ts';
import { Chatter, Delays, flood, runLoop } from './measurements.ts';

const addresses = new LocalAddresses(Number(process.argv[2]));
const crowd = new Crowd(addresses);
const chatter = new Chatter(crowd);
let delays: Delays | null = null;

carryOut<ReaderOrders>({
  connect: ({ count, ...target }) => crowd.connect(target, count),
  untilDelivered: (count) => crowd.untilDelivered(count),
  delivered: () => crowd.delivered,
  position: () => crowd.position(),
  end: ({ count, style }) => crowd.end(count, style),
  loop: (plan) => runLoop(crowd, plan),
  flood: (plan) => flood(crowd, plan),
  churn: ({ port, ...plan }) => churn({ port, isEngineIo: false }, plan, addresses),
  chatter: (periodMs) => chatter.begin(periodMs),
  stopReading: () => crowd.members[0]?.stopReading(),
  delays() {
    delays ??= new Delays(crowd);
    return delays.take();
  },
});
