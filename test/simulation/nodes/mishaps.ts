import type { KeyModel } from './key-model.ts';
import type { SimulatedNode } from './node.ts';
import type { NodeActs } from './node-acts.ts';
import type { NodePeers } from './node-peers.ts';
import type { NodesRules } from './nodes-rules.ts';
import type { NodesWorld } from './nodes-world.ts';
import type { SimulatedBus } from './simulated-bus.ts';

/** The longest outage, in milliseconds. */
const OUTAGE_MS = 2_500;

/** How long a supervisor may take to leave a bus, and the ticks that a deadline may be late by, in milliseconds. */
const LEAVE_MS = 1_000;
const SLACK_MS = 500;

/** `timeouts.forcedMs`, by default. */
const FORCED_MS = 2_000;

/** The parts of a simulation that mishaps use. */
export interface MishapParts {
  readonly world: NodesWorld;
  readonly bus: SimulatedBus;
  readonly peers: NodePeers;
  readonly acts: NodeActs;
  readonly keys: KeyModel;
  readonly rules: NodesRules;
  /** Adds a process. */
  add(): void;
}

/** What happens to a simulated service as a whole: outages of its bus, processes that come and go, and its end. */
export class SimulatedMishaps {
  readonly #parts: MishapParts;
  readonly #world: NodesWorld;

  constructor(parts: MishapParts) {
    this.#parts = parts;
    this.#world = parts.world;
  }

  /** Plans everything, and when. */
  plan(): void {
    const { plan, random } = this.#world;
    const { healAtMs, quietAtMs } = plan;
    this.#often(plan.bursts, healAtMs + 1_000, () => this.#parts.acts.burst());
    this.#often(plan.outages, healAtMs, () => this.#outage());
    this.#often(plan.fillings, healAtMs, () => this.#fill());
    this.#often(plan.cuts, healAtMs, () => this.#cut());
    this.#often(plan.crashes, healAtMs, () => this.#crash());
    this.#often(plan.additions, healAtMs, () => this.#parts.add());
    this.#often(plan.drains, healAtMs, () => this.#drain(this.#oneServing()));
    this.#world.in(healAtMs, () => this.#heal());
    this.#world.in(quietAtMs, () => this.#quieten());
    this.#world.in(quietAtMs + random.integer(1, 1_000), () => this.#drainAll());
  }

  #often(times: number, withinMs: number, act: () => void): void {
    for (let left = times; left > 0; left -= 1)
      this.#world.in(this.#world.random.integer(0, withinMs), act);
  }

  #oneServing(): SimulatedNode | undefined {
    return this.#world.any(this.#world.nodes.filter(({ isServing }) => isServing));
  }

  #isHealed(): boolean {
    return this.#world.clock.now() >= this.#world.plan.healAtMs;
  }

  /** A link goes down, and comes back before everything heals, or then. */
  #outage(): void {
    const { random } = this.#world;
    const link = this.#oneServing()?.link;
    link?.move('down', random.chance(0.5) ? new Error('it was lost') : undefined);
    this.#world.in(random.integer(5, OUTAGE_MS), () => {
      if (!this.#isHealed()) link?.move('up');
    });
  }

  /** A link takes nothing for a while. */
  #fill(): void {
    const link = this.#oneServing()?.link;
    if (link === undefined || this.#isHealed()) return;
    link.isFull = true;
    this.#world.in(this.#world.random.integer(5, OUTAGE_MS), () => {
      link.isFull = false;
    });
  }

  /** Two nodes lose each other, and neither notices. */
  #cut(): void {
    const [one, other] = [this.#oneServing(), this.#oneServing()];
    if (one === undefined || other === undefined || one === other) return;
    this.#world.note('is cut', one.index, other.index);
    this.#parts.bus.cut(one.index, other.index);
    this.#world.in(this.#world.random.integer(5, OUTAGE_MS), () =>
      this.#parts.bus.heal(one.index, other.index),
    );
  }

  #crash(): void {
    const node = this.#oneServing();
    if (node === undefined) return;
    this.#world.note('crashes', node.index);
    node.isDead = true;
    node.clock.isDead = true;
    node.link.vanish();
    this.#parts.peers.vanish(node);
  }

  /** Announcements that were lost, while the links were up, are repeated when a link comes up again. */
  #heal(): void {
    const { plan, random, nodes } = this.#world;
    const haveMissed = plan.faults.loses > 0 || plan.cuts > 0;
    this.#world.note('heals');
    this.#parts.bus.healAll();
    for (const { link } of nodes) {
      if (haveMissed) link.move('down');
      this.#world.in(random.integer(1, 500), () => link.move('up'));
    }
  }

  #quieten(): void {
    this.#world.isQuiet = true;
    this.#parts.keys.checkSettled();
  }

  #drainAll(): void {
    const { random, nodes } = this.#world;
    for (const node of nodes) {
      if (!node.isServing) continue;
      this.#world.in(random.integer(0, 800), () => {
        if (random.chance(0.3)) node.link.move('down');
        this.#drain(node);
      });
    }
  }

  #drain(node: SimulatedNode | undefined): void {
    if (node === undefined || !node.isServing) return;
    const { random, clock, members } = this.#world;
    const withinMs = random.integer(10, 1_500);
    this.#world.note('drains', node.index);
    for (const { node: other, mayEndAs } of members)
      if (other === node) mayEndAs.add('drain').add('close-timeout');
    const dueMs = clock.now() + withinMs + FORCED_MS + LEAVE_MS + SLACK_MS;
    const drain = { dueMs, isOver: false };
    node.drain = drain;
    node.supervisor.drain({ withinMs }).then(
      () => {
        drain.isOver = true;
        if (!node.isDead) this.#parts.rules.checkDrained(node);
      },
      (error) => this.#world.broken('drain-ends-in-time', String(error)),
    );
  }
}
