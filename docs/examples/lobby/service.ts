import type { RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type DrainReport, type Listener, listen, logEvents } from '../../../src/index.ts';
import { consoleLog } from './console-log.ts';
import { GuestHouse } from './guest-house.ts';
import { Lobby } from './lobby.ts';

const DRAIN_WITHIN_MS = 5_000;
/** Long enough to see what the tabs do while nobody listens. */
const AWAY_MS = 1_500;

/** One lobby at an address: it lets everybody go, and is over. */
interface Tenancy {
  readonly listener: Listener;
  stop(): Promise<DrainReport>;
}

/** A lobby at an address. Somebody in it can have another one take its place, as after a deploy. */
export class Service {
  readonly #onRequest: RequestListener;
  #tenancy: Promise<Tenancy>;
  #isRestarting = false;

  private constructor(onRequest: RequestListener, port: number) {
    this.#onRequest = onRequest;
    this.#tenancy = this.#open(port);
  }

  /** Listens at a port, or at any free one for 0. */
  static async open(onRequest: RequestListener, port: number): Promise<Service> {
    const service = new Service(onRequest, port);
    await service.#tenancy;
    return service;
  }

  /** Where it listens, now and after each restart. */
  async port(): Promise<number> {
    return (await this.#tenancy).listener.port;
  }

  /** Lets everybody go and stops, after a restart that is under way. */
  async stop(): Promise<DrainReport> {
    const tenancy = await this.#tenancy;
    return tenancy.stop();
  }

  /** Several may ask for it at once. */
  #restart(): void {
    if (this.#isRestarting) return;
    this.#isRestarting = true;
    this.#tenancy = this.#tenancy.then(async (tenancy) => {
      await tenancy.stop();
      await delay(AWAY_MS);
      this.#isRestarting = false;
      return this.#open(tenancy.listener.port);
    });
  }

  async #open(port: number): Promise<Tenancy> {
    const guests = new GuestHouse();
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
