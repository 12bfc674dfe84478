import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNatsServer, type NatsServerProgram } from '../../docs/examples/lobby/nats-server.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { NatsServer } from '../support/nats-server.ts';
import { eventually, until } from '../support/until.ts';
import { ChaosClient } from './chaos-client.ts';
import { ChaosNode } from './chaos-node.ts';
import { Ledger, type Verdict } from './ledger.ts';

const NODES = 3;
const CLIENTS = 120;
const TOPICS = Array.from({ length: 12 }, (_, at) => `t${at}`);
const TOPICS_OF_CLIENT = 3;

/** The time between two messages of a node, in milliseconds. */
const EVERY_MS = 14;

const OLD_DISK_EVERY_MS = 60_000;

/** How long clients may take to get everything at the end. */
const SETTLE_MS = 40_000;

/** What a run of chaos is told. */
export interface ChaosPlan {
  readonly seconds: number;
  readonly seed: number;
  /** The fault that is planted into the nodes. */
  readonly plant: string | null;
  readonly say: (line: string) => void;
}

/** The result of a run, and what the nodes had to complain about. */
export interface ChaosResult extends Verdict {
  readonly faults: readonly string[];
}

/**
 * Several nodes on one NATS server, and clients on random nodes, while everything fails now and then. The seed decides what
 * fails and in which order; how long that takes, the machine decides.
 */
export class ChaosRun {
  readonly #plan: ChaosPlan;
  readonly #random: SeededRandom;
  readonly #ledger = new Ledger();
  readonly #nodes: ChaosNode[] = [];
  readonly #clients: ChaosClient[] = [];
  readonly #engine: NatsServer;
  readonly #folder: string;
  readonly #faults: string[] = [];
  #hasCopy = false;
  #isOver = false;

  private constructor(plan: ChaosPlan, engine: NatsServer, folder: string) {
    this.#plan = plan;
    this.#engine = engine;
    this.#folder = folder;
    this.#random = new SeededRandom(plan.seed);
  }

  static async play(plan: ChaosPlan, program?: NatsServerProgram): Promise<ChaosResult> {
    const folder = await mkdtemp(join(tmpdir(), 'mooring-chaos-'));
    const server = program ?? (await findNatsServer());
    plan.say(`nats-server ${server.version}, seed ${plan.seed}, ${plan.seconds} s`);
    const engine = await NatsServer.start(server, ['-js', '-sd', join(folder, 'disk')]);
    const run = new ChaosRun(plan, engine, folder);
    try {
      await run.#begin();
      await Promise.all([run.#disturb(), run.#letClientsSleep()]);
      await run.#calm();
      return run.#result;
    } finally {
      await run.#end();
    }
  }

  async #begin(): Promise<void> {
    const { plant } = this.#plan;
    const start = { servers: this.#engine.url, topics: TOPICS, everyMs: EVERY_MS, port: 0, plant };
    for (let count = 0; count < NODES; count += 1) {
      const kept = (topic: string, id: string, position: string) =>
        this.#ledger.kept(topic, id, position);
      this.#nodes.push(new ChaosNode(start, kept));
    }
    await Promise.all(this.#nodes.map((node) => node.untilUp()));
    for (let count = 0; count < CLIENTS; count += 1) {
      const topics = Array.from(
        { length: TOPICS_OF_CLIENT },
        (_, at) => TOPICS[(count * TOPICS_OF_CLIENT + at) % TOPICS.length] ?? '',
      );
      this.#clients.push(new ChaosClient(topics, this.#ledger, () => this.#anyPort()));
    }
    await until(() => this.#clients.every(({ isUp }) => isUp), 'all clients are up', 20_000);
  }

  /** Clients choose by chance of their own, so that the seed decides the faults whatever the clients do. */
  #anyPort(): number {
    const up = this.#nodes.filter(({ isUp }) => isUp);
    return (up[Math.floor(Math.random() * up.length)] ?? this.#nodes[0])?.port ?? 0;
  }

  /** Lets something fail, again and again. Halfway, and each minute of a long run, the engine gets an older disk. */
  async #disturb(): Promise<void> {
    const runMs = this.#plan.seconds * 1_000;
    const periodMs = Math.min(runMs / 2, OLD_DISK_EVERY_MS);
    const startedAt = performance.now();
    let periods = 1;
    await this.#stopEngine();
    while (performance.now() < startedAt + runMs) {
      await wait(this.#between(200, 900));
      if (!this.#hasCopy || performance.now() < startedAt + periods * periodMs)
        await this.#strike();
      else {
        await this.#restoreDisk();
        periods += 1;
      }
    }
    this.#isOver = true;
  }

  async #strike(): Promise<void> {
    const strikes = [
      () => this.#killNode(),
      () => this.#killNode(),
      () => this.#freezeNode(),
      () => this.#drainNode(),
      () => this.#killEngine(),
      () => this.#stopEngine(),
    ];
    await strikes[this.#between(0, strikes.length - 1)]?.();
  }

  async #killNode(): Promise<void> {
    const node = this.#anyNode();
    this.#plan.say(`node ${node.port} is killed`);
    await node.kill();
    await wait(this.#between(0, 500));
    node.restart();
    await node.untilUp();
  }

  async #freezeNode(): Promise<void> {
    const node = this.#anyNode();
    this.#plan.say(`node ${node.port} is frozen`);
    node.freeze();
    await wait(this.#between(1_000, 3_000));
    node.thaw();
  }

  async #drainNode(): Promise<void> {
    const node = this.#anyNode();
    this.#plan.say(`node ${node.port} drains`);
    await node.drain();
    node.restart();
    await node.untilUp();
  }

  async #killEngine(): Promise<void> {
    this.#plan.say('the engine is killed');
    await this.#engine.kill();
    await wait(this.#between(100, 1_000));
    await this.#engine.restart();
  }

  /** Also copies its disk, to put it back later. */
  async #stopEngine(): Promise<void> {
    this.#plan.say('the engine is stopped');
    await this.#engine.stop();
    if (!this.#hasCopy) await cp(this.#disk, this.#copy, { recursive: true });
    this.#hasCopy = true;
    await this.#engine.restart();
  }

  /**
   * Not before each node has seen the log of now. One that has just started cannot know that it gets an older one: until another
   * tells it, it would keep messages under the numbers of lost ones, and the account could not tell them apart.
   */
  async #restoreDisk(): Promise<void> {
    const haveKept = () => this.#nodes.every(({ hasKept }) => hasKept);
    await until(haveKept, 'all nodes have seen the log', 20_000);
    this.#plan.say('the engine gets an older disk');
    await this.#engine.kill();
    await rm(this.#disk, { recursive: true });
    await rename(this.#copy, this.#disk);
    this.#hasCopy = false;
    await this.#engine.restart();
  }

  get #disk(): string {
    return join(this.#folder, 'disk');
  }

  get #copy(): string {
    return join(this.#folder, 'copy');
  }

  /** Half of those that sleep close, the others stop reading. */
  async #letClientsSleep(): Promise<void> {
    while (!this.#isOver) {
      await wait(100);
      const at = Math.floor(Math.random() * CLIENTS);
      const client = this.#clients[at];
      if (client !== undefined) await turn(client, at % 2 === 0);
    }
  }

  /** Everything runs again, and what was appended is confirmed. Then each topic gets a last message. */
  async #calm(): Promise<void> {
    this.#plan.say('all is calm');
    for (const [at, client] of this.#clients.entries())
      if (client.isAsleep) await turn(client, at % 2 === 0);
    for (const task of ['calm', 'last'] as const) {
      await Promise.all(this.#nodes.map((node) => node.ask(task)));
      await this.#untilConfirmed();
    }
    const isComplete = () => this.#ledger.isComplete;
    await until(isComplete, 'all clients have everything', SETTLE_MS).catch((error) =>
      this.#faults.push(String(error)),
    );
    // What comes twice may come late.
    await wait(1_000);
  }

  async #untilConfirmed(): Promise<void> {
    const isConfirmed = async () => {
      const pending = await Promise.all(this.#nodes.map((node) => node.ask('report')));
      return pending.every((count) => count === 0);
    };
    await eventually(isConfirmed, 'all is confirmed').catch((error) =>
      this.#faults.push(String(error)),
    );
  }

  get #result(): ChaosResult {
    const faults = [...this.#faults, ...this.#nodes.flatMap((node) => node.faults)];
    return { ...this.#ledger.verdict, faults };
  }

  async #end(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.stop()));
    await Promise.all(this.#nodes.map((node) => node.kill()));
    await this.#engine.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #anyNode(): ChaosNode {
    return this.#nodes[this.#between(0, NODES - 1)] as ChaosNode;
  }

  #between(least: number, most: number): number {
    return least + Math.floor(this.#random.next() * (most - least + 1));
  }
}

async function turn(client: ChaosClient, leaves: boolean): Promise<void> {
  if (leaves && client.isAsleep) client.comeBack();
  else if (leaves) await client.leave();
  else if (client.isAsleep) client.wake();
  else client.doze();
}

/** Whether a run has found nothing. */
export function isSound({ checked, missing, doubled, disordered, faults }: ChaosResult): boolean {
  return checked > 0 && missing + doubled + disordered + faults.length === 0;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
