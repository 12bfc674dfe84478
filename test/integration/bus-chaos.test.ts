// Goal: whatever ends or freezes, no member gets a message twice or out of order, and when it is calm again, every message
// reaches every member. Method: three processes under load on a real nats-server, all of them killed and frozen at random.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { NatsServer } from '../support/nats-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { type NodeOrder, NodeProcess } from '../support/node-process.ts';
import { PlainClient } from '../support/plain-client.ts';
import { eventually, until } from '../support/until.ts';

const NODES = 3;
const CLIENTS = 24;
const TOPICS = Array.from({ length: 8 }, (_, index) => `room/${index}`);
const TOPICS_EACH = 3;
const FAULTS = 14;
const LAST_EACH = 20;

interface Message {
  readonly node: string;
  readonly topic: string;
  readonly number: number;
  readonly isLast: boolean;
}

/** A client that comes back to any node. */
class Wanderer {
  readonly topics: readonly string[];
  client: PlainClient | null = null;
  checked = 0;

  constructor(random: SeededRandom) {
    const first = random.integer(0, TOPICS.length - 1);
    const places = Array.from(
      { length: TOPICS_EACH },
      (_, index) => (first + index) % TOPICS.length,
    );
    this.topics = places.map((place) => TOPICS[place] ?? '');
  }

  async connect(port: number): Promise<void> {
    this.leave();
    const query = this.topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
    this.client = await PlainClient.open(`ws://127.0.0.1:${port}/ws?${query}`);
  }

  get isOpen(): boolean {
    return this.client?.closed === '';
  }

  leave(): void {
    if (this.client !== null) this.check();
    this.client?.socket.terminate();
    this.client = null;
  }

  get messages(): Message[] {
    const all = (this.client?.messages ?? []) as unknown as Message[];
    return all.filter(({ node }) => node !== undefined);
  }

  /** No message is doubled, out of order, or of a topic that it has not joined. */
  check(): void {
    const last = new Map<string, number>();
    for (const { node, topic, number } of this.messages) {
      assert.ok(this.topics.includes(topic), `${topic} is not one of ${this.topics}`);
      const publisher = `${node} ${topic}`;
      const before = last.get(publisher) ?? 0;
      assert.ok(number > before, `${publisher}: ${number} after ${before}`);
      last.set(publisher, number);
      this.checked += 1;
    }
  }
}

class Chaos {
  readonly #random: SeededRandom;
  readonly #server: NatsServer;
  readonly #order: NodeOrder;
  readonly #nodes: NodeProcess[] = [];
  readonly #clients: readonly Wanderer[];

  constructor(random: SeededRandom, server: NatsServer) {
    this.#random = random;
    this.#server = server;
    this.#order = { servers: server.url, topics: TOPICS, everyMs: 2 };
    this.#clients = Array.from({ length: CLIENTS }, () => new Wanderer(random));
  }

  async run(): Promise<void> {
    for (let left = NODES; left > 0; left -= 1)
      this.#nodes.push(await NodeProcess.start(this.#order));
    for (const client of this.#clients) await this.#move(client);
    for (let left = FAULTS; left > 0; left -= 1) {
      await this.#fault();
      await pause(this.#random.integer(50, 400));
      await this.#bringBack();
    }
    await this.#calm();
  }

  async #fault(): Promise<void> {
    const random = this.#random;
    const place = random.integer(0, NODES - 1);
    const node = this.#nodes[place] as NodeProcess;
    switch (random.integer(0, 5)) {
      case 0:
      case 1:
        await node.kill();
        this.#nodes[place] = await NodeProcess.start(this.#order);
        break;
      case 2:
        node.freeze();
        await pause(random.integer(100, 1_000));
        node.thaw();
        break;
      case 3:
        await this.#server.kill();
        await pause(random.integer(0, 800));
        await this.#server.restart();
        break;
      case 4:
        this.#server.freeze();
        await pause(random.integer(100, 2_500));
        this.#server.thaw();
        break;
      default:
        for (const client of this.#clients) if (random.chance(0.3)) await this.#move(client);
    }
  }

  async #bringBack(): Promise<void> {
    for (const client of this.#clients) if (!client.isOpen) await this.#move(client);
  }

  #move(client: Wanderer): Promise<void> {
    return client.connect((this.#nodes[this.#random.integer(0, NODES - 1)] as NodeProcess).port);
  }

  /** When everything runs again, nothing may be missing. */
  async #calm(): Promise<void> {
    await this.#ask('calm');
    await eventually(
      async () => (await this.#ask('report')).every(({ bus }) => bus === 'up'),
      'all are up',
    );
    // Every member has been there for long enough to be heard of everywhere.
    await pause(500);
    for (const report of await this.#ask('last')) {
      assert.deepEqual(report.faults, []);
      assert.equal(report.untrue, 0);
      assert.deepEqual(
        report.moves,
        report.moves.map((_, at) => (at % 2 === 0 ? 'bus.up' : 'bus.down')),
      );
    }
    const due = NODES * TOPICS_EACH * LAST_EACH;
    const lastOf = ({ messages }: Wanderer) => messages.filter(({ isLast }) => isLast).length;
    await until(
      () => this.#clients.every((client) => lastOf(client) >= due),
      'all have the last ones',
    );
    for (const client of this.#clients) {
      client.check();
      assert.equal(lastOf(client), due);
    }
    for (const node of this.#nodes) {
      await node.ask('drain');
      assert.equal(await node.ended(), 0);
      assert.equal(node.output, '');
    }
  }

  #ask(task: 'report' | 'calm' | 'last') {
    return Promise.all(this.#nodes.map((node) => node.ask(task)));
  }

  get checked(): number {
    return this.#clients.reduce((sum, { checked }) => sum + checked, 0);
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.client?.socket.terminate();
    for (const node of this.#nodes) await node.kill();
  }
}

describe('three processes under load', { timeout: 120_000 }, () => {
  it('survive the end of processes and of the server, in any order', async () => {
    const program = await newestNatsServer();
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));
    const server = await NatsServer.start(program);
    const chaos = new Chaos(new SeededRandom(seed), server);
    try {
      await chaos.run();
      console.log(`seed ${seed}: ${chaos.checked} messages checked`);
    } catch (error) {
      console.log(`SEED=${seed} repeats the choices`);
      throw error;
    } finally {
      await chaos.end();
      await server.kill();
    }
  });
});
