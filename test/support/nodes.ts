import type { Bus, Connection, SupervisorOptions } from '../../src/index.ts';
import { crowd, type Member } from './crowd.ts';
import type { RawPeer } from './raw-peer.ts';
import { Service } from './service.ts';
import { until } from './until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;
type AnyConnection = Connection<unknown, unknown, unknown>;

/** Several supervisors on one bus, as if each were in a process of its own. */
export class Nodes {
  readonly services: readonly Service[];

  private constructor(services: readonly Service[]) {
    this.services = services;
  }

  /** Starts services and waits until each is up. */
  static async start(buses: readonly Bus[], options: Options = {}): Promise<Nodes> {
    const nodes = await Nodes.startWithoutWaiting(buses, options);
    await nodes.untilUp();
    return nodes;
  }

  static async startWithoutWaiting(buses: readonly Bus[], options: Options = {}): Promise<Nodes> {
    const services: Service[] = [];
    for (const bus of buses) services.push(await Service.start({ ...options, bus }));
    return new Nodes(services);
  }

  async untilUp(): Promise<void> {
    await until(
      () => this.services.every(({ supervisor }) => supervisor.bus === 'up'),
      'all are up',
    );
  }

  /** Opens a connection to a node. Its topics are heard from when this resolves. */
  async member(node: number, topics: readonly string[] = []): Promise<Member> {
    const [member] = await crowd(this.#service(node), 1);
    if (member === undefined) throw new Error('it has not opened');
    for (const topic of topics) member.connection.join(topic);
    for (const topic of topics) await this.#untilHeard(node, topic, member);
    return member;
  }

  /** Publishes from every other node until the member has something. Takes what came back off again. */
  async #untilHeard(node: number, topic: string, { peer }: Member): Promise<void> {
    const others = this.services.filter((_, index) => index !== node);
    for (const { supervisor } of others) {
      const probe = `probe ${Math.random()}`;
      const isHeard = () => peer.texts.includes(JSON.stringify(probe));
      while (!isHeard()) {
        supervisor.topic(topic).publish(probe);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  supervisor(node: number) {
    return this.#service(node).supervisor;
  }

  #service(node: number): Service {
    const service = this.services[node];
    if (service === undefined) throw new Error(`there is no node ${node}`);
    return service;
  }

  async stop(): Promise<void> {
    for (const { supervisor } of this.services)
      for (const connection of supervisor.connections) connection.terminate();
    await Promise.all(this.services.map(({ supervisor }) => supervisor.drain()));
    // The last one first, because each compares with what there was when it began.
    for (const service of [...this.services].reverse()) await service.stop();
  }
}

/** What a peer has received, without the probes of {@link Nodes.member}. */
export function heardBy({ texts }: RawPeer): unknown[] {
  return texts.filter((text) => !text.startsWith('"probe ')).map((text) => JSON.parse(text));
}

/** Waits until a peer has received a message. */
export async function hears({ peer }: Member, message: unknown): Promise<void> {
  const text = JSON.stringify(message);
  await until(() => peer.texts.includes(text), `${text} arrives`);
}

export type { AnyConnection };
