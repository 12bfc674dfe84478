import { TEXT } from '../subjects/text.ts';
import { versus, type Workload } from '../workload.ts';

const WARM_UP_TRIPS = 5_000;
const TRIPS = 20_000;

const payload = JSON.stringify(TEXT);

const unit = 'µs';

/** A single message must not wait for others. */
export const latency: Workload = {
  name: 'latency',
  about:
    'One client asks, and the message handler answers with a publication of 128 bytes to a topic whose ' +
    'only member is that client. The client measures 20,000 round trips, one after another.',
  subjects: {
    mooring: { program: 'mooring', handler: 'answer' },
    ws: { program: 'ws', handler: 'answer' },
  },
  rows: [
    versus({ name: 'latency-p50', unit, target: 1.1 }, 'p50', ['mooring', 'ws']),
    versus({ name: 'latency-p99', unit, target: 1.1 }, 'p99', ['mooring', 'ws']),
  ],
  async measure(stage) {
    await stage.connect(1);
    const run = (trips: number) => stage.readers.ask('loop', { clients: 1, trips, payload });
    await run(WARM_UP_TRIPS);
    await stage.server.ask('collect');
    const { p50, p99 } = await run(TRIPS);
    return { p50, p99 };
  },
};
