import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type DrainReport, type Listener, listen, logEvents } from 'mooring';
import { natsBus } from 'mooring/nats';
import { consoleLog } from './console-log.ts';
import type { WorkerIdentity } from './contract.ts';
import { Guests } from './guests.ts';
import { Lobby } from './lobby.ts';

const DRAIN_WITHIN_MS = 5_000;
/** Long enough to watch the tabs reconnect. */
export const DOWN_MS = 1_500;

/** The first token of every subject on the nats-server. */
const BUS_NAME = 'lobby';

/** How to serve a lobby. */
export interface ServiceOptions {
  readonly onRequest: RequestListener;
  /** 0 picks a free one. */
  readonly port: number;
  /** The address of the nats-server that connects the processes of the lobby. */
  readonly nats: string | undefined;
  /** Set if this process is one of several that serve the port. */
  readonly worker?: WorkerPart;
}

/** The part of a worker in the lobby. */
export interface WorkerPart {
  readonly identity: WorkerIdentity;
  /** How many guests have a number already. */
  readonly guestsBefore: number;
  /** When the first worker was started. */
  readonly startedAt: number;
  /** Replaces this process. */
  readonly restart: () => void;
}

/** A lobby and the listener that serves it. */
interface RunningLobby {
  readonly lobby: Lobby;
  readonly listener: Listener;
  stop(): Promise<DrainReport>;
}

/** Runs a lobby on a port. A client may restart it: as in a deployment, a new lobby replaces it on the same port. */
export class Service {
  readonly #options: ServiceOptions;
  readonly #id = randomUUID();
  #running: Promise<RunningLobby>;
  #isRestarting = false;

  private constructor(options: ServiceOptions) {
    this.#options = options;
    this.#running = this.#open(options.port);
  }

  /** Listens on the port. */
  static async open(options: ServiceOptions): Promise<Service> {
    const service = new Service(options);
    await service.#running;
    return service;
  }

  /** The address of the page, which stays the same after a restart. */
  async url(): Promise<string> {
    return pageUrl((await this.#running).listener.port);
  }

  /** Drains and stops. If a restart is in progress, it waits for that first. */
  async stop(): Promise<DrainReport> {
    const running = await this.#running;
    return running.stop();
  }

  /** Another worker has ended. */
  async workerGone(id: string): Promise<void> {
    (await this.#running).lobby.workerGone(id);
  }

  /** Does nothing while a restart is in progress. */
  #restart(): void {
    if (this.#isRestarting) return;
    this.#isRestarting = true;
    this.#running = this.#running.then(async (running) => {
      await running.stop();
      await delay(DOWN_MS);
      this.#isRestarting = false;
      return this.#open(running.listener.port);
    });
  }

  async #open(port: number): Promise<RunningLobby> {
    const { nats, onRequest, worker } = this.#options;
    const guests = new Guests(worker?.guestsBefore ?? 0);
    const lobby = new Lobby({
      worker: worker?.identity ?? this.#identity(port),
      bus: nats === undefined ? undefined : natsBus({ servers: nats, name: BUS_NAME }),
      guests,
      startedAt: worker?.startedAt ?? Date.now(),
      restart: worker?.restart ?? (() => this.#restart()),
    });
    const { supervisor } = lobby;
    logEvents(supervisor.events$, consoleLog(worker?.identity.name));
    const listener = await listen(supervisor, { port, path: '/ws', onRequest });
    guests.port = listener.port;
    const stop = async () => {
      // The other workers take the connections that are made from now on. A single process refuses them until it has drained.
      const closed = worker && listener.close();
      const report = await supervisor.drain({ withinMs: DRAIN_WITHIN_MS });
      guests.close();
      await (closed ?? listener.close());
      return report;
    };
    return { lobby, listener, stop };
  }

  /** The name is empty if there are no other processes. */
  #identity(port: number): WorkerIdentity {
    const name = this.#options.nats === undefined ? '' : `lobby ${port}`;
    return { id: this.#id, name, pid: process.pid };
  }
}

export function pageUrl(port: number): string {
  return `http://127.0.0.1:${port}/`;
}
