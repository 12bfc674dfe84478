import type { Engine } from './engines/engine.ts';
import { startEngine, stopEngine } from './engines/engines.ts';
import type { Setup, Stream } from './orders.ts';
import { Stage } from './stage.ts';

/** Ticks in which V8 compiles what is measured. */
const WARM_UP_TICKS = 30;

/** Readers get the time that they need, so that nothing accumulates. */
const PAUSE_MS = 20;

/** Messages that are published in turns of the event loop. */
export type Ticks = Pick<Stream, 'perTick' | 'ticks'>;

/** Several servers, each with clients of its own. They share an engine, or each of them is alone. */
export class Nodes {
  readonly #stages: readonly Stage[];
  readonly #engine: Engine | null;

  private constructor(stages: readonly Stage[], engine: Engine | null) {
    this.#stages = stages;
    this.#engine = engine;
  }

  /** Starts as many servers, with as many sockets each. */
  static async start(
    name: string,
    setup: Setup,
    { nodes, sockets }: { readonly nodes: number; readonly sockets: number },
  ): Promise<Nodes> {
    const engine = setup.bus === undefined ? null : await startEngine(setup.bus);
    const own = engine === null ? setup : { ...setup, busUrl: engine.url };
    const stages = Array.from({ length: nodes }, (_, at) => new Stage(`${name} ${at + 1}`, own));
    const all = new Nodes(stages, engine);
    // One after the other: the clients of all would want the cores at once.
    for (const stage of stages) await stage.connect(sockets);
    return all;
  }

  /** Publishes until every server has compiled what it needs for that. */
  async warmUp(perTick: number): Promise<void> {
    await this.micros({ perTick, ticks: WARM_UP_TICKS });
  }

  /**
   * Publishes on the first of them, or on each if they share nothing, and waits until all clients have everything.
   *
   * Returns the CPU of each server, in microseconds.
   */
  async micros(ticks: Ticks): Promise<readonly number[]> {
    await this.#each((stage) => stage.server.ask('collect'));
    const before = await this.#cpu();
    await this.#publish(ticks);
    const after = await this.#cpu();
    return after.map((micros, at) => micros - (before[at] ?? Number.NaN));
  }

  async #publish({ perTick, ticks }: Ticks): Promise<void> {
    const before = await this.#each((stage) => stage.readers.ask('delivered'));
    const publishers = this.#engine === null ? this.#stages : this.#stages.slice(0, 1);
    const stream = { perTick, ticks, pauseMs: PAUSE_MS };
    await Promise.all(publishers.map((stage) => stage.server.ask('publish', stream)));
    await this.#each((stage, at) => {
      const all = (before[at] ?? Number.NaN) + perTick * ticks * stage.connections;
      return stage.readers.ask('untilDelivered', all);
    });
  }

  #cpu(): Promise<readonly number[]> {
    return this.#each((stage) => stage.server.ask('cpuMicros'));
  }

  #each<T>(work: (stage: Stage, at: number) => Promise<T>): Promise<readonly T[]> {
    return Promise.all(this.#stages.map(work));
  }

  async stop(): Promise<void> {
    await this.#each((stage) => stage.stop());
    if (this.#engine !== null) await stopEngine(this.#engine);
  }
}
