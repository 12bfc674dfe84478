import { SeededRandom } from '../seeded-random.ts';
import type { Violation } from '../seeds.ts';
import { SimulatedClock } from '../simulated-clock.ts';
import { SimulationTrace } from '../trace.ts';
import type { SimulatedNode } from './node.ts';
import type { NodeMember } from './node-member.ts';
import { chooseNodesPlan, type NodesPlan } from './nodes-plan.ts';

/** What the parts of one simulation share. */
export class NodesWorld {
  readonly random: SeededRandom;
  readonly clock: SimulatedClock;
  readonly trace: SimulationTrace;
  readonly plan: NodesPlan;
  readonly nodes: SimulatedNode[] = [];
  readonly members: NodeMember[] = [];
  readonly byId = new Map<string, NodeMember>();
  violation: Violation | null = null;
  /** How often each thing happened. */
  readonly tally = new Map<string, number>();
  /** The application does nothing any more. */
  isQuiet = false;

  constructor(seed: number, keepsTrace: boolean) {
    this.random = new SeededRandom(seed);
    // The first numbers of neighbouring seeds are similar in their high bits.
    this.random.next();
    this.clock = new SimulatedClock(this.random.next);
    this.trace = new SimulationTrace(keepsTrace);
    this.plan = chooseNodesPlan(this.random);
  }

  /** Records that a rule was broken. The first one counts. */
  broken(rule: string, problem: string): void {
    this.note(`BROKEN ${rule}`, 0, problem);
    this.violation ??= { rule, problem };
  }

  note(what: string, who = 0, detail: string | number = ''): void {
    this.trace.atMs = this.clock.now();
    this.trace.note(what, who, detail);
  }

  count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  in(delayMs: number, act: () => void): void {
    this.clock.arriveAt(this.clock.now() + delayMs, act);
  }

  /** The open connections of a node. */
  openAt(node: SimulatedNode): NodeMember[] {
    return this.members.filter((member) => member.node === node && member.isOpen);
  }

  membersOf(node: SimulatedNode, topic: string | undefined): NodeMember[] {
    const open = this.openAt(node);
    return topic === undefined ? open : open.filter(({ topics }) => topics.has(topic));
  }

  /** One of the items; `undefined` if there is none. */
  any<Item>(items: readonly Item[]): Item | undefined {
    return items[this.random.integer(0, Math.max(0, items.length - 1))];
  }
}
