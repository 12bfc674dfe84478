import { Nodes } from '../nodes.ts';
import { median } from '../row.ts';
import { type Figures, figure, type RowPlan, versus, type Workload } from '../workload.ts';

const SOCKETS = 1_000;

/** One publication, and as many as the row `burst` publishes, in one turn of the event loop. */
const ONE = 1;
const BURST = 16;

const unit = 'µs';

const PAIR = 2;
const BLOCKS = 6;
const TICKS = 30;

/** At most a tenth more, and what it takes to give a publication to the engine or to hear it. */
const target = { times: 1.1, microsBeyond: 10 };

/** What a node does with a publication: publish it for itself and the other, hear it, or publish it alone. */
type Part = 'publishing' | 'hearing' | 'alone';

function nameOf(part: Part, perTick: number): string {
  return `${part} µs, ${perTick} a turn`;
}

function beside(name: string, part: Part, perTick: number): RowPlan {
  return {
    ...{ name, unit, target, peerName: 'without a bus', needs: ['mooring'] },
    pairs: (taken) => ({
      ours: figure(taken, 'mooring', nameOf(part, perTick)),
      peer: figure(taken, 'mooring', nameOf('alone', perTick)),
    }),
  };
}

/** What the bus adds to a publication. */
export const busPublish: Workload = {
  name: 'bus-publish',
  about:
    'Two nodes share a nats-server, and each has 1,000 sockets in one topic. One node publishes messages of 128 bytes ' +
    'for both: one message in a turn of the event loop, or 16. In turn with them, two servers without a bus publish the ' +
    'same, each to its own 1,000 sockets. The figures are CPU for each publication, of the node that publishes ' +
    '(`bus-publish`) and of the node that hears (`bus-hear`).',
  subjects: { mooring: { program: 'mooring', bus: 'nats-server' } },
  rows: [
    beside('bus-publish', 'publishing', ONE),
    beside('bus-hear', 'hearing', ONE),
    beside('bus-publish-burst', 'publishing', BURST),
    beside('bus-hear-burst', 'hearing', BURST),
  ],
  async measure({ name, setup }) {
    const size = { nodes: PAIR, sockets: SOCKETS };
    const shared = await Nodes.start(name, setup, size);
    try {
      const alone = await Nodes.start(`${name}, alone`, { program: 'mooring' }, size);
      try {
        return { ...(await inTurn(shared, alone, ONE)), ...(await inTurn(shared, alone, BURST)) };
      } finally {
        await alone.stop();
      }
    } finally {
      await shared.stop();
    }
  },
};

/** Each block of ticks is as often the first of the two. */
async function inTurn(shared: Nodes, alone: Nodes, perTick: number): Promise<Figures> {
  for (const nodes of [shared, alone]) await nodes.warmUp(perTick);
  const blocks = new Map<Nodes, (readonly number[])[]>([
    [shared, []],
    [alone, []],
  ]);
  for (let block = 0; block < BLOCKS; block += 1) {
    for (const nodes of block % 2 === 0 ? [shared, alone] : [alone, shared])
      blocks.get(nodes)?.push(await nodes.micros({ perTick, ticks: TICKS }));
  }
  const perPublication = (nodes: Nodes, at: number) =>
    median((blocks.get(nodes) ?? []).map((micros) => micros[at] ?? Number.NaN)) / (perTick * TICKS);
  return {
    [nameOf('publishing', perTick)]: perPublication(shared, 0),
    [nameOf('hearing', perTick)]: perPublication(shared, 1),
    [nameOf('alone', perTick)]: (perPublication(alone, 0) + perPublication(alone, 1)) / 2,
  };
}

const THREE = 3;
const CPU_MS = 2_500;

const burst = 'µs a delivery, 16 a turn';
const single = 'µs a delivery, 1 a turn';
const ours = 'mooring';
const peer = 'Socket.IO';

/** The same beside Socket.IO, with the engine that each of them recommends. */
export const busSocketIo: Workload = {
  name: 'bus-socket.io',
  about:
    'One of three nodes publishes 16 messages of 128 bytes in each turn of the event loop, and each node has 1,000 ' +
    'sockets. Mooring uses a nats-server. Socket.IO uses its Redis Streams adapter and a redis-server that writes ' +
    'nothing to the disk. The figure is the CPU of the three nodes, without the engine, for each delivered message. In ' +
    '`bus-socket.io-single`, a turn has one message, so the system calls of both are nearly the same.',
  subjects: {
    [ours]: { program: 'mooring', bus: 'nats-server' },
    [peer]: { program: 'socket.io', bus: 'redis-server' },
  },
  rows: [
    versus({ name: 'bus-socket.io', unit, target: 0.2 }, burst, [ours, peer]),
    versus({ name: 'bus-socket.io-single', unit }, single, [ours, peer]),
  ],
  async measure({ name, setup }) {
    const nodes = await Nodes.start(name, setup, { nodes: THREE, sockets: SOCKETS });
    try {
      return {
        [burst]: await deliveryMicros(nodes, BURST),
        [single]: await deliveryMicros(nodes, ONE),
      };
    } finally {
      await nodes.stop();
    }
  },
};

/** CPU of all servers for each delivered message. It publishes as many as the given time allows. */
async function deliveryMicros(nodes: Nodes, perTick: number): Promise<number> {
  await nodes.warmUp(perTick);
  const perTickOfAll = perTick * THREE * SOCKETS;
  const few = sum(await nodes.micros({ perTick, ticks: FEW_TICKS })) / FEW_TICKS;
  const ticks = Math.ceil((CPU_MS * 1_000) / few);
  return sum(await nodes.micros({ perTick, ticks })) / (ticks * perTickOfAll);
}

const FEW_TICKS = 5;

function sum(values: readonly number[]): number {
  return values.reduce((before, value) => before + value, 0);
}
