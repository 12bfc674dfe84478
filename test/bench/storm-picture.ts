// Draws docs/guide/pictures/reconnect-storm.svg: when 2,000 clients arrive after a restart, in three ways. Run it on a quiet
// machine with `npm run storm`; it takes about a minute and prints the numbers for docs/guide/deploying.md.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createClient } from '../../src/client/index.ts';
import { createSupervisor, type Listener, listen } from '../../src/index.ts';
import { countsOf, markup } from './storm-markup.ts';

const CLIENTS = 2_000;
/** Longer than a connection must be open to be stable. */
const SETTLE_MS = 6_000;
const DOWN_MS = 1_500;
const PATIENCE_MS = 60_000;
const PICTURE = 'docs/guide/pictures/reconnect-storm.svg';

/** What a child reports: the port it listens at, or the times at which its clients arrived. */
type Report = { readonly port: number } | { readonly arrivals: readonly number[] };

const roles = { server, ws: wsClients, mooring: mooringClients };

/** Serves at a port, and drains when it is told to. */
async function server([port]: readonly string[]): Promise<void> {
  const arrivals: number[] = [];
  const supervisor = createSupervisor({ onOpen: () => void arrivals.push(Date.now()) });
  supervisor.events$.subscribe();
  const listener: Listener = await listen(supervisor, { port: Number(port) });
  process.send?.({ port: listener.port });
  process.on('message', (order) => {
    if (order === 'drain') void supervisor.drain({ withinMs: 30_000, perSecond: 500 });
    else process.send?.({ arrivals });
  });
}

/** The loop that is written around ws everywhere. */
async function wsClients([url = '']: readonly string[]): Promise<void> {
  function connect(): void {
    const socket = new WebSocket(url);
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(connect, 1_000));
  }
  for (let count = 0; count < CLIENTS; count += 1) connect();
}

/** The second URL, if any, is that of every attempt but the first. */
async function mooringClients([first = '', second = first]: readonly string[]): Promise<void> {
  for (let count = 0; count < CLIENTS; count += 1) {
    let url = first;
    const client = createClient(() => {
      const now = url;
      url = second;
      return now;
    });
    client.endings$.subscribe();
  }
}

class Child {
  readonly #process: ChildProcess;

  constructor(...args: readonly string[]) {
    this.#process = fork(import.meta.filename, [...args]);
  }

  static async server(port = 0): Promise<{ child: Child; port: number }> {
    const child = new Child('server', String(port));
    const report = await child.#next();
    if (!('port' in report)) throw new Error('the server does not listen');
    return { child, port: report.port };
  }

  async #next(): Promise<Report> {
    const [report] = await once(this.#process, 'message');
    return report as Report;
  }

  drain(): void {
    this.#process.send('drain');
  }

  async arrivals(): Promise<readonly number[]> {
    this.#process.send('arrivals');
    const report = await this.#next();
    return 'arrivals' in report ? report.arrivals : [];
  }

  async untilArrived(count: number): Promise<readonly number[]> {
    const deadline = Date.now() + PATIENCE_MS;
    while (Date.now() < deadline) {
      const arrivals = await this.arrivals();
      if (arrivals.length >= count) return arrivals;
      await sleep(200);
    }
    throw new Error(`fewer than ${count} clients arrived`);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}

/** Kills the server, and starts it again at its port. Returns the milliseconds from then to each arrival. */
async function killed(kind: 'ws' | 'mooring'): Promise<readonly number[]> {
  const first = await Child.server();
  const clients = new Child(kind, `ws://127.0.0.1:${first.port}/`);
  await first.child.untilArrived(CLIENTS);
  await sleep(SETTLE_MS);
  const beganAt = Date.now();
  await first.child.kill();
  await sleep(DOWN_MS);
  const second = await Child.server(first.port);
  const arrivals = await second.child.untilArrived(CLIENTS);
  await clients.kill();
  await second.child.kill();
  return arrivals.map((at) => at - beganAt);
}

/** Drains the server while another one serves. */
async function drained(): Promise<readonly number[]> {
  const [first, second] = [await Child.server(), await Child.server()];
  const urls = [first, second].map(({ port }) => `ws://127.0.0.1:${port}/`);
  const clients = new Child('mooring', ...urls);
  await first.child.untilArrived(CLIENTS);
  await sleep(SETTLE_MS);
  const beganAt = Date.now();
  first.child.drain();
  const arrivals = await second.child.untilArrived(CLIENTS);
  for (const child of [clients, first.child, second.child]) await child.kill();
  return arrivals.map((at) => at - beganAt);
}

async function draw(): Promise<void> {
  const runs = {
    plain: await killed('ws'),
    after: await killed('mooring'),
    drain: await drained(),
  };
  for (const [name, arrivals] of Object.entries(runs)) {
    const last = (Math.max(...arrivals) / 1_000).toFixed(1);
    const inBar = Math.max(...countsOf(arrivals));
    console.log(`${name}: ${inBar} in 100 ms, ${most(arrivals)} in 1 s, ${last} s`);
  }
  writeFileSync(PICTURE, markup(runs, DOWN_MS));
}

/** The most arrivals in any second. */
function most(arrivals: readonly number[]): number {
  const sorted = arrivals.toSorted((a, b) => a - b);
  let from = 0;
  return Math.max(
    ...sorted.map((at, index) => {
      while (at - (sorted[from] ?? at) >= 1_000) from += 1;
      return index - from + 1;
    }),
  );
}

const role = process.argv[2];
if (role === undefined) await draw();
else await roles[role as keyof typeof roles](process.argv.slice(3));
