// Measures where a server spends its time, and writes docs/internals/performance.md. Run it on a quiet machine with
// `npm run profile`; it takes about a minute. Each scenario has a server process of its own, and its clients are raw sockets.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Session } from 'node:inspector/promises';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { attach, createSupervisor, type Supervisor } from '../../src/index.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { type Figures, type Measured, page, type Scenario, sharesOf } from './profile-page.ts';
import { LocalAddresses } from './readers/local-address.ts';
import { TEXT } from './subjects/text.ts';

const PAGE = 'docs/internals/performance.md';
const MEMBERS = 1_000;
const TURNS = 150;
const NEWCOMERS = 4_000;
const CONNECTING_MAX = 100;
const HEARTBEAT_MS = 1_000;
const HEARTBEATS = 4;
/** Twice before the measurement, so that V8 has compiled what is measured. */
const WARM_UPS = 2;
const INTERVAL_MICROS = 200;

/** What a child measured: microseconds of CPU, and where. */
interface Answer {
  readonly micros: number;
  readonly figures: Figures;
}

type Order = 'start' | 'stop' | 'single' | 'burst' | 'counts';

/** The server: carries out orders, and profiles itself between `start` and `stop`. */
async function serve(hasHeartbeat: boolean): Promise<void> {
  const supervisor = createSupervisor({
    admission: { acceptsPerSecondMax: 1_000_000 },
    onOpen: (connection) => void connection.join('all'),
    ...(hasHeartbeat && { heartbeat: { intervalMs: HEARTBEAT_MS, graceMs: HEARTBEAT_MS } }),
  });
  const server = createServer();
  attach(server, supervisor, { path: '/ws' });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, () =>
    process.send?.((server.address() as AddressInfo).port),
  );
  const session = new Session();
  session.connect();
  let before = process.cpuUsage();
  const orders: Record<Order, () => Promise<unknown>> = {
    async start() {
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_MICROS });
      await session.post('Profiler.start');
      before = process.cpuUsage();
    },
    async stop(): Promise<Answer> {
      const { user, system } = process.cpuUsage(before);
      const { profile } = await session.post('Profiler.stop');
      return { micros: user + system, figures: sharesOf(profile) };
    },
    single: () => publish(supervisor, 1),
    burst: () => publish(supervisor, 16),
    counts: async () => supervisor.counts,
  };
  process.on('message', async (order: Order) => process.send?.((await orders[order]()) ?? null));
}

async function publish(supervisor: Supervisor, perTurn: number): Promise<void> {
  const topic = supervisor.topic('all');
  for (let turns = 0; turns < TURNS; turns += 1) {
    for (let count = 0; count < perTurn; count += 1) topic.publish(TEXT);
    await turn();
    await sleep(5);
  }
}

const goodbye = buildFrame({ opcode: opcode.close, payload: closePayload(1_000) });
const pong = buildFrame({ opcode: opcode.pong });
const PING = 0x89;

/** A server process, and the raw sockets that are connected to it. */
class Stage {
  readonly #child;
  readonly #addresses = new LocalAddresses(0);
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor(...args: readonly string[]) {
    this.#child = fork(import.meta.filename, ['serve', ...args]);
  }

  async listen(): Promise<void> {
    [this.#port] = await once(this.#child, 'message');
  }

  async ask(order: Order): Promise<unknown> {
    this.#child.send(order);
    const [answer] = await once(this.#child, 'message');
    return answer;
  }

  async connect(count: number): Promise<void> {
    for (let left = count; left > 0; left -= CONNECTING_MAX)
      await Promise.all(Array.from({ length: Math.min(left, CONNECTING_MAX) }, () => this.#open()));
    await this.#until('open');
  }

  #open(): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port: this.#port, ...this.#addresses.next() });
    this.#sockets.add(socket);
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    return new Promise((resolve) => {
      socket.once('data', () => {
        socket.on('data', (bytes) => {
          if (bytes[0] === PING) socket.write(pong);
        });
        resolve();
      });
    });
  }

  async #until(state: 'open' | 'gone'): Promise<void> {
    for (;;) {
      const counts = (await this.ask('counts')) as Supervisor['counts'];
      const present = counts.handshaking + counts.open + counts.errored + counts.closing;
      if (state === 'open' ? counts.open === this.#sockets.size : present === 0) return;
      await sleep(20);
    }
  }

  /** Ends all connections with the closing handshake, or resets them at once. */
  async end(isReset: boolean): Promise<void> {
    for (const socket of this.#sockets) {
      if (isReset) socket.resetAndDestroy();
      else socket.write(goodbye, () => socket.once('data', () => socket.end()));
    }
    await this.#until('gone');
    while (this.#sockets.size > 0) await sleep(10);
  }

  stop(): void {
    this.#child.kill('SIGKILL');
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function measured(
  scenario: Scenario,
  operations: number,
  { args = [], before, work }: Work,
): Promise<Measured> {
  const stage = new Stage(...args);
  await stage.listen();
  await before(stage);
  for (let time = 0; time < WARM_UPS; time += 1) await work(stage);
  await stage.ask('start');
  await work(stage);
  const { micros, figures } = (await stage.ask('stop')) as Answer;
  stage.stop();
  console.log(`${scenario}: ${(micros / operations).toFixed(2)} µs`);
  return { scenario, micros: micros / operations, figures };
}

interface Work {
  readonly args?: readonly string[];
  before(stage: Stage): Promise<unknown>;
  work(stage: Stage): Promise<unknown>;
}

const crowd = (stage: Stage) => stage.connect(MEMBERS);
const nobody = async () => {};

async function measureAll(): Promise<void> {
  const results = [
    await measured('single', MEMBERS * TURNS, {
      before: crowd,
      work: (stage) => stage.ask('single'),
    }),
    await measured('burst', 16 * MEMBERS * TURNS, {
      before: crowd,
      work: (stage) => stage.ask('burst'),
    }),
    await measured('accept', NEWCOMERS, {
      before: nobody,
      work: async (stage) => {
        await stage.connect(NEWCOMERS);
        await stage.end(false);
      },
    }),
    await measuredReset(),
    await measured('heartbeat', HEARTBEATS * MEMBERS * 4, {
      args: ['beats'],
      before: (stage) => stage.connect(4 * MEMBERS),
      work: () => sleep(HEARTBEATS * HEARTBEAT_MS),
    }),
  ];
  writeFileSync(PAGE, page(results));
  process.exit();
}

/** The connecting is not part of it. */
async function measuredReset(): Promise<Measured> {
  const stage = new Stage();
  await stage.listen();
  for (let time = 0; time < WARM_UPS; time += 1) {
    await stage.connect(NEWCOMERS);
    await stage.end(true);
  }
  await stage.connect(NEWCOMERS);
  await stage.ask('start');
  await stage.end(true);
  const { micros, figures } = (await stage.ask('stop')) as Answer;
  stage.stop();
  return { scenario: 'reset', micros: micros / NEWCOMERS, figures };
}

if (process.argv[2] === 'serve') await serve(process.argv[3] === 'beats');
else await measureAll();
