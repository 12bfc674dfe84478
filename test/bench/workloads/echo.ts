import { versus, type Workload } from '../workload.ts';

const CLIENTS = 200;
const WARM_UP_TRIPS = 20_000;
const TRIPS = 60_000;

/** An edit of a document, 1,024 bytes of JSON. */
const payload = messageOf(1_024);

function messageOf(bytes: number): string {
  const message = {
    id: 4_711,
    type: 'edit',
    author: { id: 'a-17', name: 'Ada' },
    tags: ['draft', 'review', 'europe'],
    isDraft: true,
    text: '',
  };
  const text = 'lorem ipsum '.repeat(bytes).slice(0, bytes - JSON.stringify(message).length);
  return JSON.stringify({ ...message, text });
}

const unit = 'µs';
const cost = 'µs a round trip';

/** Messages that arrive and are sent back. */
export const echo: Workload = {
  name: 'echo',
  about:
    'Each of 200 clients sends 1 KiB of JSON as soon as the answer to its last message has arrived. The ' +
    'figure is server CPU for each round trip, including decoding and encoding. With zod, both servers ' +
    'check the message against the same schema. Compression is off on both.',
  subjects: {
    mooring: { program: 'mooring', handler: 'echo' },
    ws: { program: 'ws', handler: 'echo' },
    'mooring with zod': { program: 'mooring', handler: 'echo', isChecked: true },
    'ws with zod': { program: 'ws', handler: 'echo', isChecked: true },
  },
  rows: [
    versus({ name: 'echo-ws', unit, target: 1.03 }, cost, ['mooring', 'ws']),
    versus({ name: 'echo-zod', unit, target: 1.03 }, cost, ['mooring with zod', 'ws with zod']),
  ],
  async measure(stage) {
    await stage.connect(CLIENTS);
    const run = (trips: number) => stage.readers.ask('loop', { clients: CLIENTS, trips, payload });
    await run(WARM_UP_TRIPS);
    return { [cost]: (await stage.cpuOf(() => run(TRIPS))) / TRIPS };
  },
};
