import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../engines/engine.ts';
import { startEngine, stopEngine } from '../engines/engines.ts';
import type { Setup } from '../orders.ts';
import { Stage } from '../stage.ts';
import { type Figures, figure, versus, type Workload, within } from '../workload.ts';

const MS_PER_S = 1_000;
const MICROS_PER_MS = 1_000;
const MICROS_PER_S = 1_000_000;

const mooring = 'mooring';
const peer = 'Socket.IO';

const durable: Setup = { program: 'mooring', bus: 'jetstream', isDurable: true, isHeaded: true };

/** Two servers that share an engine, and the engine. A server starts when it is first asked something. */
interface Pair {
  readonly one: Stage;
  readonly other: Stage;
  readonly engine: Engine;
}

/** Has a pair for as long as the work takes. */
async function sharing(
  { name, setup }: Stage,
  work: (pair: Pair) => Promise<Figures>,
): Promise<Figures> {
  if (setup.bus === undefined) throw new Error(`${name} has no engine`);
  const engine = await startEngine(setup.bus);
  const own = { ...setup, busUrl: engine.url };
  const [one, other] = [new Stage(`${name} 1`, own), new Stage(`${name} 2`, own)];
  try {
    return await work({ one, other, engine });
  } finally {
    await Promise.all([one.stop(), other.stop()]);
    await stopEngine(engine);
  }
}

const WARM_UP_APPENDS = 40_000;
const APPENDS = 150_000;
const IN_FLIGHT = 512;

const wall = 'µs until the next is kept';
const cpu = 'CPU µs';

/** What it takes to keep a message. */
export const append: Workload = {
  name: 'append',
  about:
    'A node appends 150,000 messages of 128 bytes to a durable topic without members, on a nats-server with JetStream ' +
    'that writes to the disk. 512 of them wait for the server at the same time. `append` is the time from one that is ' +
    'kept to the next: 25 µs are 40,000 a second. `append-cpu` is the CPU of the node for each.',
  subjects: { [mooring]: durable },
  rows: [
    within({ name: 'append', unit: 'µs', budget: 25 }, wall, mooring),
    within({ name: 'append-cpu', unit: 'µs', budget: 15 }, cpu, mooring),
  ],
  measure: (stage) =>
    sharing(stage, async ({ one: node }) => {
      await node.listen();
      await node.server.ask('append', { count: WARM_UP_APPENDS, inFlight: IN_FLIGHT });
      let tookMs = Number.NaN;
      const micros = await node.cpuOf(async () => {
        tookMs = await node.server.ask('append', { count: APPENDS, inFlight: IN_FLIGHT });
      });
      return { [wall]: (tookMs * MICROS_PER_MS) / APPENDS, [cpu]: micros / APPENDS };
    }),
};

const SLEEPERS = 1_000;
const MISSED = 1_000;

const all = 's until all have all';
const engineCpu = 'engine CPU s';

/** What a crowd that has slept costs when it comes back. */
export const sleepers: Workload = {
  name: 'sleepers',
  about:
    '1,000 clients come back at once to a node that has nobody else in their durable topic, and each has missed 1,000 ' +
    'messages of 128 bytes. `sleepers` is the time until all of them have all messages, and `sleepers-engine` is the ' +
    'CPU of the nats-server meanwhile.',
  subjects: { [mooring]: durable },
  rows: [
    within({ name: 'sleepers', unit: 's', budget: 10 }, all, mooring),
    within({ name: 'sleepers-engine', unit: 's', budget: 1 }, engineCpu, mooring),
  ],
  measure: (stage) =>
    sharing(stage, async ({ one: publishing, other, engine }) => {
      await publishing.listen();
      await publishing.server.ask('append', { count: 1, inFlight: 1 });
      await publishing.connect(1);
      const position = await publishing.readers.ask('position');
      await publishing.server.ask('append', { count: MISSED, inFlight: 1 });
      await other.listen();
      const before = engine.cpuMicros?.() ?? Number.NaN;
      const startedAt = performance.now();
      await other.connect(SLEEPERS, position);
      await other.readers.ask('untilDelivered', SLEEPERS * MISSED);
      return {
        [all]: (performance.now() - startedAt) / MS_PER_S,
        [engineCpu]: ((engine.cpuMicros?.() ?? Number.NaN) - before) / MICROS_PER_S,
      };
    }),
};

const MOVES = { clients: 100, moves: 400, everyMs: 20, awayMs: 500 };
const APPENDS_PER_S = 100;
/** Until all clients have arrived, while they move, and until the last one is back. */
const MOVING_S = 16;

const p50 = 'p50 ms';
const p99 = 'p99 ms';

/** How soon a client has what it has missed. */
export const resume: Workload = {
  name: 'resume',
  about:
    'Two nodes share a nats-server with JetStream and have 100 clients in a durable topic that gets 100 messages a ' +
    'second. 50 clients a second leave their node and dial the other one half a second later. The figure is the time ' +
    'from dialing until a client is told that it has missed nothing and has the messages of its absence.',
  subjects: { [mooring]: durable },
  rows: [
    within({ name: 'resume-p50', unit: 'ms', budget: 10 }, p50, mooring),
    within({ name: 'resume-p99', unit: 'ms', budget: 200 }, p99, mooring),
  ],
  measure: (stage) =>
    sharing(stage, async ({ one, other }) => {
      const ports = [await one.listen(), await other.listen()] as const;
      const publishing = one.server.ask('publish', appends(MOVING_S));
      const times = await other.returners.ask('move', { ...MOVES, ports });
      await publishing;
      return { [p50]: times.p50 / MICROS_PER_MS, [p99]: times.p99 / MICROS_PER_MS };
    }),
};

function appends(forS: number) {
  const everyMs = MS_PER_S / APPENDS_PER_S;
  return { perTick: 1, ticks: forS * APPENDS_PER_S, everyMs, pauseMs: 0, isStamped: true };
}

const SURVIVORS = 200;
const KILLED_AFTER_MS = 2_000;
const KILLING_S = 6;

const missed = 'missed messages a client';
const recovered = 'recovered clients';

/** What is left to the clients of a node that is killed. */
export const nodeKill: Workload = {
  name: 'node-kill',
  about:
    'Two nodes share an engine, one has 200 clients in a topic, and the other publishes 100 messages a second to it for ' +
    '6 s. After 2 s, the first node is killed, and a balancer takes its clients to the other one. Mooring has a durable ' +
    'topic on a nats-server with JetStream. Socket.IO has its connection state recovery and its Redis Streams adapter on ' +
    'a redis-server; it keeps the session of a client when the client leaves, and a node that is killed cannot do ' +
    'that. The figure is how many of the 600 messages a client has missed.',
  subjects: {
    [mooring]: durable,
    [peer]: { program: 'socket.io', bus: 'redis-server', isDurable: true },
  },
  rows: [
    {
      ...versus({ name: 'node-kill', unit: '', target: 0 }, missed, [mooring, peer]),
      note: (taken) =>
        `Mooring told ${countText(figure(taken, mooring, recovered))} of its ${SURVIVORS} clients that they have missed ` +
        `nothing, Socket.IO ${countText(figure(taken, peer, recovered))}`,
    },
  ],
  roundsMax: 3,
  measure: (stage) =>
    sharing(stage, async ({ one: killed, other }) => {
      const port = await other.listen();
      await other.returners.ask('gather', { port: await killed.listen(), count: SURVIVORS });
      const stream = appends(KILLING_S);
      const publishing = other.server.ask('publish', stream);
      await sleep(KILLED_AFTER_MS);
      await other.returners.ask('divert', port);
      await killed.server.stop();
      await publishing;
      const outcome = await other.returners.ask('survived', stream.ticks);
      if (outcome.doubled > 0) throw new Error(`${outcome.doubled} messages came again`);
      return {
        [missed]: outcome.missed / SURVIVORS,
        [recovered]: outcome.recovered,
      };
    }),
};

/** The least and the most of all rounds. */
function countText(counts: readonly number[]): string {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${most}` : `${least} to ${most}`;
}
