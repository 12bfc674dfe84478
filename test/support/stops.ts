import { afterEach, beforeEach } from 'node:test';
import { ProcessWatch } from './process-watch.ts';
import { RogueServer, type Script } from './rogue-server.ts';
import { Service } from './service.ts';

/** What a test has started, to be stopped after it in reverse order. */
export class Stops {
  readonly #stops: (() => unknown)[] = [];

  add(stop: () => unknown): void {
    this.#stops.push(stop);
  }

  async rogue(script: Script): Promise<RogueServer> {
    const server = await RogueServer.start(script);
    this.add(() => server.stop());
    return server;
  }

  async service(...options: Parameters<typeof Service.start>): Promise<Service> {
    const service = await Service.start(...options);
    this.add(() => service.stop());
    return service;
  }

  /** Waits until a server has started. */
  async started<Server extends { stop(): unknown }>(server: Promise<Server>): Promise<Server> {
    const started = await server;
    this.add(() => started.stop());
    return started;
  }

  /** Stops all, also if one cannot be stopped. Rejects with the first error. */
  async all(): Promise<void> {
    const errors: unknown[] = [];
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (thrown) {
        errors.push(thrown);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

/**
 * Returns a list whose entries are stopped after each test. The test fails if the process saw an uncaught
 * error by then.
 */
export function stopsAndWatch(): Stops {
  const stops = new Stops();
  let watch: ProcessWatch;
  beforeEach(() => {
    watch = new ProcessWatch();
  });
  afterEach(async () => {
    await stops.all();
    await watch.assertQuiet();
    watch.stop();
  });
  return stops;
}
