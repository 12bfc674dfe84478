import { setTimeout as sleep } from 'node:timers/promises';
import * as defaults from '../../../src/core/defaults.ts';
import type { Setup } from '../orders.ts';
import { median } from '../row.ts';
import { Stage } from '../stage.ts';
import { type Figures, figure, versus, type Workload } from '../workload.ts';

/** A smaller number shows whether the workload itself works. */
const SOCKETS = Number(process.env['BENCH_SOCKETS'] ?? 100_000);
/** Many systems allow a process 20,000 descriptors. */
const SOCKETS_MAX = 17_000;
const SERVERS = Math.ceil(SOCKETS / SOCKETS_MAX);

const WARM_UP = 500;
const SETTLE_MS = 5_000;
const BROADCASTS = 5;
const WARM_UP_BROADCASTS = 2;
const BROADCAST_WITHIN_MS = 120_000;
const { intervalMs } = defaults.heartbeat;

const heartbeats = 'ms/s of all servers';
const memory = 'resident bytes a socket';
const pause = 'longest pause ms';
const broadcast = 'ms until the last one has it';

/** Everything at once: as many sockets as this machine should hold. */
export const capacity: Workload = {
  name: 'capacity',
  about:
    `Server processes hold ${SOCKETS.toLocaleString('en')} sockets together. Other processes are their clients. ` +
    '`capacity-heartbeat` is the CPU of all servers for pings every 25 s, `capacity-memory` the resident memory for ' +
    'each socket, without that of the kernel, and `capacity-pause` the longest time for which an event loop was ' +
    'blocked during one interval. `capacity-broadcast` is the time from publishing a message of 128 bytes until the ' +
    'last client has read it, compared with a bare `socket.write` to each socket. It runs only with `--only capacity`.',
  isOnRequest: true,
  roundsMax: 3,
  subjects: {
    mooring: { program: 'mooring', heartbeatMs: intervalMs },
    ws: { program: 'ws', heartbeatMs: intervalMs },
    'bare socket.write': { program: 'bare' },
  },
  rows: [
    {
      ...versus({ name: 'capacity-heartbeat', unit: 'ms/s' }, heartbeats, ['mooring', 'ws']),
      note: () => `${SOCKETS.toLocaleString('en')} sockets, ${SERVERS} servers`,
    },
    versus({ name: 'capacity-memory', unit: 'B' }, memory, ['mooring', 'ws']),
    versus({ name: 'capacity-pause', unit: 'ms', spreadMax: 1 }, pause, ['mooring', 'ws']),
    {
      ...versus({ name: 'capacity-broadcast', unit: 'ms' }, broadcast, [
        'mooring',
        'bare socket.write',
      ]),
      note: (taken) => `ws: ${median(figure(taken, 'ws', broadcast)).toFixed(0)} ms`,
      needs: ['mooring', 'ws', 'bare socket.write'],
    },
  ],
  async measure({ name, setup }) {
    const fleet = new Fleet(name, setup);
    try {
      return await fleet.measure();
    } finally {
      await fleet.stop();
    }
  },
};

/** Several servers with their clients. */
class Fleet {
  readonly #stages: readonly Stage[];
  readonly #isBare: boolean;

  constructor(name: string, setup: Setup) {
    this.#isBare = setup.program === 'bare';
    this.#stages = Array.from(
      { length: SERVERS },
      (_, index) => new Stage(`${name} ${index + 1}`, setup),
    );
  }

  async measure(): Promise<Figures> {
    const before = await this.#resident();
    // One after the other: the clients of all would want the cores at once.
    for (const [index, stage] of this.#stages.entries()) {
      const share = Math.floor((SOCKETS + index) / SERVERS);
      await stage.connect(share - stage.connections);
    }
    await sleep(SETTLE_MS);
    const grown = (await this.#resident()) - before;
    const idle = this.#isBare ? {} : await this.#idle();
    return {
      ...idle,
      [memory]: grown / (SOCKETS - WARM_UP * SERVERS),
      [broadcast]: await this.#broadcastMs(),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#stages.map((stage) => stage.stop()));
  }

  /** Resident memory of all servers, after each has had some connections. */
  async #resident(): Promise<number> {
    const bytes = await this.#all(async (stage) => {
      if (stage.connections === 0) await stage.connect(WARM_UP);
      return stage.server.ask('residentBytes');
    });
    return bytes.reduce((sum, each) => sum + each, 0);
  }

  async #idle(): Promise<Figures> {
    await this.#all((stage) => stage.server.ask('watchPauses'));
    const micros = await this.#all((stage) => stage.cpuOf(() => sleep(intervalMs)));
    const pauses = await this.#all((stage) => stage.server.ask('watchedPauseMs'));
    const perSecond = micros.reduce((sum, each) => sum + each, 0) / intervalMs;
    return { [heartbeats]: perSecond, [pause]: Math.max(...pauses) };
  }

  async #broadcastMs(): Promise<number> {
    const times: number[] = [];
    for (let time = 0; time < WARM_UP_BROADCASTS + BROADCASTS; time += 1) {
      const begunAt = performance.now();
      const stream = { perTick: 1, ticks: 1, pauseMs: 0 };
      await this.#all((stage) => stage.stream(stream, { withinMs: BROADCAST_WITHIN_MS }));
      if (time >= WARM_UP_BROADCASTS) times.push(performance.now() - begunAt);
    }
    return median(times);
  }

  #all<T>(work: (stage: Stage) => Promise<T>): Promise<readonly T[]> {
    return Promise.all(this.#stages.map(work));
  }
}
