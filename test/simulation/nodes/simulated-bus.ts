import type { Bus, BusHost, BusLink } from '../../../src/core/bus.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { SimulatedClock } from '../simulated-clock.ts';
import { type LinkPlan, SimulatedLink } from './simulated-link.ts';

/** What a bus does that the contract forbids. A real one does so only in error. */
export interface BusFaults {
  /** The probabilities that a message is lost, comes twice, and is overtaken. */
  readonly loses: number;
  readonly doubles: number;
  readonly disorders: number;
}

/** Observes a simulated bus, and judges what a supervisor does there. */
export interface BusWatcher {
  published(link: SimulatedLink, channel: string, message: Buffer, isTaken: boolean): void;
  /** A supervisor is about to hear a message. Returns what to check afterwards. */
  hearing(link: SimulatedLink, channel: string, message: Buffer): () => void;
  /** The link is about to tell its state. Returns what to check afterwards. */
  moving(link: SimulatedLink, to: 'up' | 'down'): () => void;
  broken(rule: string, problem: string): void;
}

/** What links need of their bus. */
export interface BusWorld {
  readonly random: SeededRandom;
  readonly clock: SimulatedClock;
  readonly watcher: BusWatcher;
}

/** How long an overtaken message takes at most, in milliseconds. */
const DISORDER_MS = 300;

/**
 * A bus on virtual time, whose links have delays of their own, are cut from each other, go down and come back.
 *
 * ```
 * publish ─(delay of the sender)─▶ route ─(delay of the receiver)─▶ heard
 * ```
 */
export class SimulatedBus {
  readonly links = new Set<SimulatedLink>();
  faults: BusFaults;
  readonly #world: BusWorld;
  /** Pairs of nodes that do not reach each other, although both are up. */
  readonly #cuts = new Set<string>();

  constructor(world: BusWorld, faults: BusFaults) {
    this.#world = world;
    this.faults = faults;
  }

  /** The bus as one supervisor sees it. @param opened - gets its link, before anything else happens */
  for(node: number, plan: LinkPlan, opened: (link: SimulatedLink, host: BusHost) => void): Bus {
    const open = (host: BusHost): BusLink => {
      const link = new SimulatedLink({ ...this.#world, bus: this }, host, { node, ...plan });
      this.links.add(link);
      opened(link, host);
      return link;
    };
    return { name: 'simulated', open };
  }

  cut(one: number, other: number): void {
    this.#cuts.add(pairOf(one, other));
  }

  heal(one: number, other: number): void {
    this.#cuts.delete(pairOf(one, other));
  }

  /** Ends all faults. Links that are down are left to come back. */
  healAll(): void {
    this.#cuts.clear();
    this.faults = { loses: 0, doubles: 0, disorders: 0 };
    for (const link of this.links) link.isFull = false;
  }

  /** Passes a message on to every other link. @param from - -1 for another program */
  route(from: number, channel: string, message: Buffer): void {
    for (const link of this.links) {
      if (link.node === from || this.#cuts.has(pairOf(from, link.node))) continue;
      this.#pass(link, channel, message);
    }
  }

  #pass(link: SimulatedLink, channel: string, message: Buffer): void {
    const { random } = this.#world;
    const { loses, doubles, disorders } = this.faults;
    if (random.chance(loses)) return;
    const lateMs = random.chance(disorders) ? random.integer(1, DISORDER_MS) : 0;
    link.receive(channel, message, lateMs);
    if (random.chance(doubles)) link.receive(channel, message, random.integer(0, DISORDER_MS));
  }
}

function pairOf(one: number, other: number): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}
