import type { Stage } from '../stage.ts';
import { versus, type Workload } from '../workload.ts';

const CLIENTS = 200;
const WARM_UP = 1_000;
const MESSAGES = 3_000;

/** The movement of a cursor, 100 bytes of JSON. */
const payload = JSON.stringify({
  type: 'move',
  user: 'a-17',
  cursor: { line: 4_711, column: 42 },
  selection: { from: 1_024, to: 2_048 },
}).padEnd(100);

const unit = 'µs';
const cost = 'µs a message';

/** Messages that arrive faster than they can be read. */
export const flood: Workload = {
  name: 'flood',
  about:
    '200 clients send messages of 100 bytes of JSON, as fast as the server reads them. The figure is server ' +
    'CPU for each message. With ws, the handler calls `JSON.parse`.',
  subjects: {
    mooring: { program: 'mooring', handler: 'count' },
    ws: { program: 'ws', handler: 'count' },
  },
  rows: [versus({ name: 'flood', unit, target: 1.1 }, cost, ['mooring', 'ws'])],
  async measure(stage) {
    await stage.connect(CLIENTS);
    await sendFlood(stage, WARM_UP);
    await stage.server.ask('collect');
    const micros = await stage.cpuOf(() => sendFlood(stage, MESSAGES));
    return { [cost]: micros / (MESSAGES * CLIENTS) };
  },
};

/** Lets every client send messages, and waits until the server has read them all. */
export async function sendFlood(stage: Stage, each: number): Promise<void> {
  const flooded = await stage.readers.ask('flood', { each, payload });
  await stage.server.ask('untilReceived', flooded);
}
