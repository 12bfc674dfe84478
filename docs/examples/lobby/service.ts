import type { RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type DrainReport, type Listener, listen, logEvents } from 'mooring';
import { consoleLog } from './console-log.ts';
import { Guests } from './guests.ts';
import { Lobby } from './lobby.ts';

const DRAIN_WITHIN_MS = 5_000;
/** Long enough to watch the tabs reconnect. */
const DOWN_MS = 1_500;

/** A lobby and the listener that serves it. */
interface RunningLobby {
  readonly listener: Listener;
  stop(): Promise<DrainReport>;
}

/** Runs a lobby on a port. A client may restart it: as in a deployment, a new lobby replaces it on the same port. */
export class Service {
  readonly #onRequest: RequestListener;
  #lobby: Promise<RunningLobby>;
  #isRestarting = false;

  private constructor(onRequest: RequestListener, port: number) {
    this.#onRequest = onRequest;
    this.#lobby = this.#open(port);
  }

  /** Listens on a port; 0 picks a free one. */
  static async open(onRequest: RequestListener, port: number): Promise<Service> {
    const service = new Service(onRequest, port);
    await service.#lobby;
    return service;
  }

  /** The port, which stays the same after a restart. */
  async port(): Promise<number> {
    return (await this.#lobby).listener.port;
  }

  /** Drains and stops. If a restart is in progress, it waits for that first. */
  async stop(): Promise<DrainReport> {
    const lobby = await this.#lobby;
    return lobby.stop();
  }

  /** Does nothing while a restart is in progress. */
  #restart(): void {
    if (this.#isRestarting) return;
    this.#isRestarting = true;
    this.#lobby = this.#lobby.then(async (lobby) => {
      await lobby.stop();
      await delay(DOWN_MS);
      this.#isRestarting = false;
      return this.#open(lobby.listener.port);
    });
  }

  async #open(port: number): Promise<RunningLobby> {
    const guests = new Guests();
    const { supervisor } = new Lobby(guests, () => this.#restart());
    logEvents(supervisor.events$, consoleLog);
    const listener = await listen(supervisor, { port, path: '/ws', onRequest: this.#onRequest });
    guests.port = listener.port;
    const stop = async () => {
      const report = await supervisor.drain({ withinMs: DRAIN_WITHIN_MS });
      guests.close();
      await listener.close();
      return report;
    };
    return { listener, stop };
  }
}
