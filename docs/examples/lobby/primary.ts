import cluster, { type Worker } from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { LobbyOptions } from './arguments.ts';
import { findNatsServer } from './nats-server.ts';
import { OwnNatsServer } from './own-nats-server.ts';
import { DOWN_MS, pageUrl } from './service.ts';
import { nameOf, TASK, type WorkerOrder, type WorkerReport, type WorkerTask } from './worker.ts';

/** Longer than a worker takes to drain. One that is frozen is killed then. */
const STOP_WITHIN_MS = 10_000;

/** How many connections the workers have closed and terminated. */
export interface Tally {
  readonly closed: number;
  readonly forced: number;
}

/** Runs the lobby in several workers, starts a worker again that has ended, and runs their nats-server. */
export class Primary {
  readonly #id = randomUUID();
  readonly #startedAt = Date.now();
  readonly #workers = new Map<number, Worker>();
  readonly #port: number;
  readonly #nats: string;
  /** The nats-server that this process has started, if it was not given one. */
  readonly #server: OwnNatsServer | undefined;
  #isStopping = false;

  private constructor(port: number, nats: string, server: OwnNatsServer | undefined) {
    this.#port = port;
    this.#nats = nats;
    this.#server = server;
  }

  /** Resolves when every worker listens. */
  static async start({ port, workers, nats }: LobbyOptions): Promise<Primary> {
    const free = await freePort(port);
    const server = nats === undefined ? await startNatsServer() : undefined;
    const primary = new Primary(free, nats ?? server?.url ?? '', server);
    const numbers = Array.from({ length: workers }, (_, index) => index + 1);
    await Promise.all(numbers.map((number) => primary.#fork(number)));
    return primary;
  }

  get url(): string {
    return pageUrl(this.#port);
  }

  /** Drains all workers at once, then ends the nats-server. */
  async stop(): Promise<Tally> {
    this.#isStopping = true;
    const tallies = await Promise.all(Array.from(this.#workers.values(), stopped));
    await this.#server?.stop();
    return {
      closed: tallies.reduce((sum, { closed }) => sum + closed, 0),
      forced: tallies.reduce((sum, { forced }) => sum + forced, 0),
    };
  }

  /** Resolves when the worker listens. @throws WorkerError if it ends before */
  #fork(number: number): Promise<void> {
    const task: WorkerTask = {
      number,
      id: this.#idOf(number),
      port: this.#port,
      nats: this.#nats,
      startedAt: this.#startedAt,
    };
    const worker = cluster.fork({ [TASK]: JSON.stringify(task) });
    this.#workers.set(number, worker);
    return new Promise((resolve, reject) => {
      worker.once('listening', () => {
        console.log(`${nameOf(number)} is process ${worker.process.pid}`);
        resolve();
      });
      worker.once('exit', (code, signal) => {
        this.#workerEnded(number, signal ?? `exit code ${code}`);
        reject(new WorkerError(`${nameOf(number)} does not start`));
      });
    });
  }

  #workerEnded(number: number, how: string): void {
    console.log(`${nameOf(number)} has ended: ${how}`);
    this.#workers.delete(number);
    const gone: WorkerOrder = { type: 'gone', id: this.#idOf(number) };
    for (const worker of this.#workers.values()) order(worker, gone);
    if (!this.#isStopping) setTimeout(() => this.#forkAgain(number), DOWN_MS);
  }

  /** One that does not start is tried again when it has ended. */
  #forkAgain(number: number): void {
    if (!this.#isStopping) this.#fork(number).catch(() => {});
  }

  /** The same for a worker that replaces another one. */
  #idOf(number: number): string {
    return `${this.#id}/${number}`;
  }
}

/** A worker has ended before it served, and has printed why. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
}

/** Finds the port that all workers serve, if it is 0, and reports that it is taken before anything starts. */
async function freePort(wanted: number): Promise<number> {
  const server = createServer().listen(wanted, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startNatsServer(): Promise<OwnNatsServer> {
  const program = await findNatsServer();
  const server = await OwnNatsServer.start(program);
  const { version, origin } = program;
  console.log(`nats-server ${version}, ${origin}, is process ${server.pid} at ${server.url}`);
  return server;
}

/** Lets a worker drain and end. */
function stopped(worker: Worker): Promise<Tally> {
  return new Promise((resolve) => {
    let tally: Tally = { closed: 0, forced: 0 };
    const killer = setTimeout(() => worker.process.kill('SIGKILL'), STOP_WITHIN_MS);
    worker.on('message', (report: WorkerReport) => {
      tally = report.stopped;
    });
    worker.once('exit', () => {
      clearTimeout(killer);
      resolve(tally);
    });
    order(worker, { type: 'stop' });
  });
}

/** A worker that has just ended hears nothing. */
function order(worker: Worker, message: WorkerOrder): void {
  worker.send(message, () => {});
}
