import type { BusHost } from '../../../src/core/bus.ts';
import type { SupervisorEvent } from '../../../src/core/events.ts';
import { ServiceSupervisor } from '../../../src/server/supervisor.ts';
import { FakeUpgrader } from '../fake-upgrade.ts';
import type { SeedResult } from '../seeds.ts';
import type { TraceLine } from '../trace.ts';
import { Deliveries } from './deliveries.ts';
import { KeyModel } from './key-model.ts';
import { SimulatedMishaps } from './mishaps.ts';
import { SimulatedNode } from './node.ts';
import { NodeActs } from './node-acts.ts';
import { NodeClock } from './node-clock.ts';
import type { NodeConnection, NodePeer } from './node-member.ts';
import { NodePeers } from './node-peers.ts';
import { NodeWatch } from './node-watch.ts';
import { chooseLinkPlan } from './nodes-plan.ts';
import { NodesRules } from './nodes-rules.ts';
import { NodesWorld } from './nodes-world.ts';
import { SimulatedBus } from './simulated-bus.ts';

/** The result of one simulation. */
export interface NodesResult extends SeedResult {
  /** A digest: equal for the same seed, and different for different traces. */
  readonly digest: string;
  readonly trace: readonly TraceLine[];
  readonly events: number;
  readonly connections: number;
  readonly virtualMs: number;
  /** Publications that members had to get, and messages that nodes heard. */
  readonly deliveries: number;
  readonly heard: number;
  readonly tally: ReadonlyMap<string, number>;
}

/** How long after the last drain everything must have ended, in milliseconds of virtual time. */
const AFTERMATH_MS = 600_000;

/** Enough for the promises between the end of a link and the end of a drain. */
const MICROTASK_TURNS = 8;

/** How far the wall clocks of processes are apart at most, in milliseconds. */
const WALL_MS = 5_000;

const RADIX = 36;

/** Runs a service of several processes on one bus, from its start to the drain of the last. */
export async function simulateNodes(
  seed: number,
  { trace = false }: { readonly trace?: boolean } = {},
): Promise<NodesResult> {
  return new NodesSimulation(seed, trace).run();
}

class NodesSimulation {
  readonly #seed: number;
  readonly #world: NodesWorld;
  readonly #deliveries: Deliveries;
  readonly #watch: NodeWatch;
  readonly #bus: SimulatedBus;
  readonly #peers: NodePeers;
  readonly #rules: NodesRules;
  readonly #names = new Set<string>();
  #checked = 0;

  constructor(seed: number, keepsTrace: boolean) {
    const world = new NodesWorld(seed, keepsTrace);
    const { random, clock, plan } = world;
    const deliveries = new Deliveries(world);
    const keys = new KeyModel(world);
    const watcher = new NodeWatch(world, deliveries, keys);
    const bus = new SimulatedBus({ random, clock, watcher }, plan.faults);
    const peers = new NodePeers(world, deliveries);
    const acts = new NodeActs({ world, deliveries, keys, peers, bus });
    this.#seed = seed;
    this.#world = world;
    this.#deliveries = deliveries;
    this.#watch = watcher;
    this.#bus = bus;
    this.#peers = peers;
    this.#rules = new NodesRules(world, deliveries);
    watcher.disturb = (node, isNotified) => acts.maybe(node, isNotified);
    for (let left = plan.nodes; left > 0; left -= 1) this.#addNode();
    const { rules } = { rules: this.#rules };
    const add = () => this.#addNode();
    new SimulatedMishaps({ world, bus, peers, acts, keys, rules, add }).plan();
  }

  #addNode(): void {
    const world = this.#world;
    const { random, clock, nodes, plan } = world;
    const nodeClock = new NodeClock(clock, random.integer(-WALL_MS, WALL_MS) + random.next());
    const node = new SimulatedNode(nodes.length, nodeClock);
    nodes.push(node);
    const bus = this.#bus.for(node.index, chooseLinkPlan(random), (link, host) => {
      node.link = link;
      this.#name(host);
    });
    const options = {
      bus,
      clock: nodeClock,
      random: random.next,
      sameKey: plan.sameKey,
      limits: {
        outboxHighBytes: plan.outboxHighBytes,
        outboxLowBytes: Math.floor(plan.outboxHighBytes / 2),
      },
      authenticate: ({ url = '' }: { url?: string | undefined }): NodePeer => {
        const number = Number(url.slice(1));
        return { number, key: world.members[number - 1]?.firstKey };
      },
      key: ({ key }: NodePeer) => key,
      onHandlerError: (error: Error, handler: string) => this.#watch.errored(node, handler, error),
    };
    node.supervisor = new ServiceSupervisor(options, new FakeUpgrader(clock));
    node.supervisor.events$.subscribe((event) =>
      this.#watch.take(node, event as SupervisorEvent<NodeConnection>),
    );
    for (let left = random.integer(0, 3); left > 0; left -= 1) this.#peers.come(node);
    this.#connect(node);
  }

  /** Names come from the seed, so that connections have the same ids each time. */
  #name(host: BusHost): void {
    const { random } = this.#world;
    let name = '';
    while (name === '' || this.#names.has(name))
      name = random
        .integer(0, RADIX ** 5)
        .toString(RADIX)
        .padStart(6, '0');
    this.#names.add(name);
    Object.defineProperty(host, 'node', { value: name });
  }

  #connect({ link }: SimulatedNode): void {
    const { random } = this.#world;
    const upAtMs = random.chance(0.5) ? random.integer(0, 20) : random.integer(0, 900);
    if (random.chance(0.15))
      this.#world.in(random.integer(0, upAtMs), () => link.move('down', new Error('no server')));
    this.#world.in(upAtMs, () => link.move('up'));
  }

  async run(): Promise<NodesResult> {
    const world = this.#world;
    const untilMs = world.plan.quietAtMs + AFTERMATH_MS;
    while (world.violation === null && this.#step(untilMs)) {
      if (world.nodes.some(({ drain }) => drain?.isOver === false)) await settle();
      this.#check();
    }
    await settle();
    if (world.violation === null) this.#rules.checkEnd();
    return {
      ...{ seed: this.#seed, violation: world.violation, tally: world.tally },
      ...{ digest: world.trace.digest, trace: world.trace.lines, events: world.trace.size },
      ...{ connections: world.members.length, virtualMs: world.trace.atMs },
      ...{ deliveries: this.#deliveries.expected, heard: this.#watch.heard },
    };
  }

  #step(untilMs: number): boolean {
    try {
      return this.#world.clock.step(untilMs);
    } catch (thrown) {
      this.#world.broken('nothing-throws', (thrown as Error).stack ?? String(thrown));
      return false;
    }
  }

  /** Nothing changes between two steps in which nothing happened. */
  #check(): void {
    const { size } = this.#world.trace;
    if (size === this.#checked) return;
    this.#checked = size;
    this.#rules.check();
  }
}

async function settle(): Promise<void> {
  for (let turns = MICROTASK_TURNS; turns > 0; turns -= 1) await null;
}
