import { versus, type Workload } from '../workload.ts';

const MEMBERS = 2_000;
const MEMBERSHIPS = { topics: 200, each: 10 };
const CPU_MS = 1_200;

const unit = 'µs';
const cost = 'µs a delivery';

/** Members of many topics, all of which have something to say. */
export const manyTopics: Workload = {
  name: 'many-topics',
  about:
    '200 topics have 100 members each. Each of the 2,000 members is in ten topics, and no two members are ' +
    'in the same ten. Each topic gets two messages of 128 bytes in each turn of the event loop. The figure ' +
    'is server CPU for each delivery. ws loops over a set of sockets for each topic.',
  subjects: {
    mooring: { program: 'mooring', memberships: MEMBERSHIPS },
    ws: { program: 'ws', memberships: MEMBERSHIPS },
  },
  rows: [versus({ name: 'many-topics', unit, target: 0.35 }, cost, ['mooring', 'ws'])],
  async measure(stage) {
    await stage.connect(MEMBERS);
    return { [cost]: await stage.deliveryMicros(2, CPU_MS) };
  },
};
