import assert from 'node:assert/strict';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import { parsePlace } from '../../src/bus/place.ts';
import {
  type Client,
  type ClientOptions,
  createClient,
  type Recovery,
} from '../../src/client/index.ts';
import type { AppendOptions, SupervisorOptions } from '../../src/index.ts';
import { ByThePage, type ToldOn } from './by-the-page.ts';
import { RawPeer } from './raw-peer.ts';
import { Service } from './service.ts';
import { until } from './until.ts';

/** The durable topic to which every connection is joined. */
export const ROOM = 'room/1';

const backoff = { minMs: 10, maxMs: 50, stableMs: 50 };

/** A link that is gone without a word is found out after 1 s to 1.5 s. */
export const connection = { pingInterval: 500, maxPingOut: 2 };

/** The usual time between two appended numbers. */
const EVERY_MS = 5;

let rooms = 0;

type Options = SupervisorOptions<unknown, unknown, unknown>;
type Positions = Iterable<readonly [string, string]>;

/** A client of the library, and what it has got. */
export interface RoomClient {
  readonly client: Client;
  readonly messages: unknown[];
  readonly recoveries: Recovery[];
}

/** Supervisors that share a bus on a real nats-server, as if each were in a process of its own, and members of their topic. */
export class DurableRoom {
  readonly #bus: NatsBusOptions;
  readonly #services: Service[] = [];
  readonly #ends: (() => unknown)[] = [];

  /** @param bus - options of all nodes. */
  constructor(bus: NatsBusOptions) {
    rooms += 1;
    this.#bus = { name: `room-${rooms}`, connection, ...bus };
  }

  /** The name of the stream. */
  get name(): string {
    return this.#bus.name ?? '';
  }

  /** Starts a node and waits until it is up. */
  async node(bus: NatsBusOptions = {}, options: Options = {}): Promise<Service> {
    const service = await Service.start({
      bus: natsBus({ ...this.#bus, ...bus }),
      durable: (topic) => topic.startsWith('room/'),
      onOpen: (opened) => void opened.join(ROOM),
      ...options,
    });
    this.#services.push(service);
    await until(() => service.supervisor.bus === 'up', 'the node is up');
    return service;
  }

  /** Connects a client of the library, and waits until it is told where it is. By default, it comes back within 50 ms. */
  async client(url: string | (() => string), options: ClientOptions = {}): Promise<RoomClient> {
    const client = createClient(url, { mooring: true, backoff, ...options });
    this.#ends.push(() => client.close());
    const made: RoomClient = { client, messages: [], recoveries: [] };
    client.recoveries$.subscribe((recovery) => made.recoveries.push(recovery));
    client.messages$.subscribe((message) => made.messages.push(message));
    await until(() => made.recoveries.length > 0, 'the client is told where it is');
    return made;
  }

  /** Connects a client that only knows the page about the protocol, and waits until it is told where it is. */
  async page(node: { readonly url: string }, positions?: Positions): Promise<ByThePage> {
    const page = this.dial(node, positions);
    await until(() => page.told.length > 0, 'the page is told where it is');
    return page;
  }

  /** The same, without waiting. */
  dial({ url }: { readonly url: string }, positions?: Positions): ByThePage {
    const page = new ByThePage(url, positions);
    this.#ends.push(() => page.socket.terminate());
    return page;
  }

  /** Connects a peer that speaks no Mooring. It gets what is kept from now on if the node has another member already. */
  async plain(service: Service): Promise<RawPeer> {
    const before = service.of('connection.opened').length;
    const peer = await RawPeer.open(service.port);
    this.#ends.push(() => peer.destroy());
    await until(() => service.of('connection.opened').length > before, 'the peer is open');
    return peer;
  }

  /** Begins to append numbers, at nodes that may change meanwhile. */
  appending(nodes: readonly Service[], everyMs = EVERY_MS): Appending {
    const appending = new Appending(nodes, everyMs);
    this.#ends.push(() => appending.end());
    return appending;
  }

  /** Waits until every node is connected to the bus. */
  untilUp(): Promise<void> {
    return this.#untilAll('up');
  }

  /** Waits until every node knows that it is not connected to the bus. */
  untilDown(): Promise<void> {
    return this.#untilAll('down');
  }

  #untilAll(state: 'up' | 'down'): Promise<void> {
    const all = () => this.#services.every(({ supervisor }) => supervisor.bus === state);
    return until(all, `all nodes are ${state}`);
  }

  async stop(): Promise<void> {
    for (const end of this.#ends) await end();
    for (const { supervisor } of this.#services)
      for (const opened of supervisor.connections) opened.terminate();
    await Promise.all(this.#services.map(({ supervisor }) => supervisor.drain()));
    // The last one first, because each compares with what there was when it began.
    for (const service of [...this.#services].reverse()) await service.stop();
  }
}

/** Appends messages one after the other, and returns their positions. */
export async function appendAll(
  { supervisor }: Service,
  messages: readonly unknown[],
  options?: AppendOptions,
): Promise<string[]> {
  const positions: string[] = [];
  for (const message of messages) {
    const appended = await supervisor.topic(ROOM).append(message, options);
    assert.equal(appended.outcome, 'kept');
    if ('position' in appended) positions.push(appended.position);
  }
  return positions;
}

/** The whole numbers from `first` to `last`. */
export function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Waits until a member has as many messages, and asserts that it has exactly these. */
export async function gets(
  { messages }: { readonly messages: readonly unknown[] },
  expected: readonly unknown[],
  withinMs?: number,
): Promise<void> {
  const { length } = expected;
  await until(() => messages.length >= length, `there are ${length} messages`, withinMs);
  assert.deepEqual(messages, expected);
}

/** The same for a plain peer, which must not get anything else. */
export async function getsPlainly(
  peer: RawPeer,
  expected: readonly unknown[],
  withinMs?: number,
): Promise<void> {
  const texts = expected.map((message) => JSON.stringify(message));
  await until(() => peer.texts.length >= texts.length, `there are ${texts.length} texts`, withinMs);
  assert.deepEqual(peer.texts, texts);
}

/** Waits until a member was told as often, and asserts what it was told last. */
export async function isTold(
  { told }: { readonly told: readonly ToldOn[] },
  times: number,
  cause: Recovery['cause'],
): Promise<void> {
  await until(() => told.length >= times, `it is told ${times} times`);
  assert.deepEqual(told.slice(times - 1), [{ topic: ROOM, recovered: cause === 'resumed', cause }]);
}

/**
 * Appends numbers all the time, from each node in turn. Repeats each under its id until it is confirmed. The list of nodes may
 * change meanwhile.
 */
class Appending {
  readonly #services: readonly Service[];
  readonly #timer: NodeJS.Timeout;
  readonly #under: Promise<void>[] = [];
  /** The positions of the numbers that are confirmed. */
  readonly #kept = new Map<number, string>();
  #isOver = false;

  constructor(services: readonly Service[], everyMs: number) {
    this.#services = services;
    this.#timer = setInterval(() => this.#under.push(this.#append(this.#under.length)), everyMs);
  }

  /** How many numbers are confirmed. */
  get count(): number {
    return this.#kept.size;
  }

  async #append(number: number): Promise<void> {
    const id = `number-${number}`;
    while (!this.#isOver) {
      const { supervisor } = this.#services[number % this.#services.length] as Service;
      const appended = await supervisor.topic(ROOM).append(number, { id });
      if (appended.outcome === 'unconfirmed') continue;
      this.#kept.set(number, appended.position);
      return;
    }
  }

  /** Waits until further numbers are confirmed. */
  async more(count: number, withinMs?: number): Promise<void> {
    const from = this.count;
    await until(() => this.count >= from + count, `${count} more numbers are kept`, withinMs);
  }

  /** Stops at once. What is not confirmed yet may be lost. */
  end(): void {
    clearInterval(this.#timer);
    this.#isOver = true;
  }

  /** Stops, and returns all numbers in the order of the log. */
  async stop(): Promise<number[]> {
    clearInterval(this.#timer);
    await Promise.all(this.#under);
    const offset = (position: string) => parsePlace(position)?.offset ?? 0;
    return [...this.#kept]
      .sort(([, one], [, other]) => offset(one) - offset(other))
      .map(([number]) => number);
  }
}
