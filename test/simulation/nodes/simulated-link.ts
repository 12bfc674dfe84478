import type { BusHost, BusLink, Interest } from '../../../src/core/bus.ts';
import type { SimulatedClock } from '../simulated-clock.ts';
import type { BusWorld, SimulatedBus } from './simulated-bus.ts';

/** How a link ends: when it is asked to, after a while, never, with an error, or by throwing at once. */
export type Leaving = 'promptly' | 'slowly' | 'never' | 'rejects' | 'throws';

/** How one link behaves. */
export interface LinkPlan {
  /** How long a message takes to the bus and from it, in milliseconds. */
  readonly outMs: number;
  readonly inMs: number;
  /** How long the bus takes to note an interest, in milliseconds. */
  readonly subscribeMs: number;
  readonly payloadBytesMax: number;
  readonly leaving: Leaving;
  /** Until it has left, it still calls its host. The contract forbids that. */
  readonly isCareless: boolean;
}

/** A one-way line that keeps the order. What is under way is lost when it is cut. */
class Line {
  readonly #clock: SimulatedClock;
  readonly #delayMs: number;
  #underWay: (() => void)[] = [];
  #isCut = false;
  #lastDueMs = 0;

  constructor(clock: SimulatedClock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** @param lateMs - lets others overtake it, if it is not 0 */
  send(arrive: () => void, lateMs = 0): void {
    const dueMs = this.#clock.now() + this.#delayMs;
    if (lateMs > 0) {
      this.#clock.arriveAt(dueMs + lateMs, () => {
        if (!this.#isCut) arrive();
      });
      return;
    }
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs);
    this.#underWay.push(arrive);
    this.#clock.arriveAt(this.#lastDueMs, () => this.#underWay.shift()?.());
  }

  cut(): void {
    this.#isCut = true;
    this.#underWay = [];
  }
}

class SimulatedInterest implements Interest {
  readonly channel: string;
  readonly heard: (message: Uint8Array) => void;
  readonly ready: Promise<void>;
  hasEnded = false;
  /** The bus knows it. */
  isNoted = false;
  readonly #link: SimulatedLink;
  #becameReady: () => void = () => {};

  constructor(link: SimulatedLink, channel: string, heard: (message: Uint8Array) => void) {
    this.#link = link;
    this.channel = channel;
    this.heard = heard;
    this.ready = new Promise((resolve) => {
      this.#becameReady = resolve;
    });
  }

  note(): void {
    this.isNoted = true;
    this.#becameReady();
  }

  end(): void {
    this.hasEnded = true;
    this.#link.forget(this);
  }
}

/** The link of one simulated process. */
export class SimulatedLink implements BusLink {
  readonly node: number;
  readonly payloadBytesMax: number;
  readonly interests = new Map<string, SimulatedInterest>();
  state: 'up' | 'down' | null = null;
  /** It takes no messages although it is up. */
  isFull = false;
  /** Its supervisor has closed it. */
  isClosed = false;
  readonly #world: BusWorld & { readonly bus: SimulatedBus };
  readonly #host: BusHost;
  readonly #plan: LinkPlan;
  /** It is no part of the bus any more. */
  #hasLeft = false;
  #out: Line;
  #in: Line;

  constructor(
    world: BusWorld & { readonly bus: SimulatedBus },
    host: BusHost,
    plan: LinkPlan & { readonly node: number },
  ) {
    this.#world = world;
    this.#host = host;
    this.#plan = plan;
    this.node = plan.node;
    this.payloadBytesMax = plan.payloadBytesMax;
    this.#out = new Line(world.clock, plan.outMs);
    this.#in = new Line(world.clock, plan.inMs);
  }

  /** Whether its supervisor may take it for up. */
  get isUp(): boolean {
    return this.state === 'up' && !this.isClosed;
  }

  publish(channel: string, message: Uint8Array): boolean {
    const isTaken = this.isUp && !this.isFull;
    const copy = Buffer.from(message);
    this.#world.watcher.published(this, channel, copy, isTaken);
    if (!isTaken) return false;
    this.#out.send(() => {
      if (!copy.equals(message)) this.#world.watcher.broken('bytes-do-not-change', channel);
      this.#world.bus.route(this.node, channel, copy);
    });
    return true;
  }

  listen(channel: string, heard: (message: Uint8Array) => void): Interest {
    if (this.interests.has(channel)) this.#world.watcher.broken('listens-once', channel);
    const interest = new SimulatedInterest(this, channel, heard);
    this.interests.set(channel, interest);
    const { clock } = this.#world;
    const note = () => interest.note();
    if (this.state === 'up')
      this.#out.send(() => clock.arriveAt(clock.now() + this.#plan.subscribeMs, note));
    return interest;
  }

  forget(interest: SimulatedInterest): void {
    if (this.interests.get(interest.channel) === interest) this.interests.delete(interest.channel);
  }

  /** A message has come for it. What it does not listen to yet, it does not get. */
  receive(channel: string, message: Buffer, lateMs: number): void {
    const interest = this.interests.get(channel);
    if (interest?.isNoted && this.state === 'up')
      this.#in.send(() => this.#hear(interest, message), lateMs);
  }

  #hear(interest: SimulatedInterest, message: Buffer): void {
    if (interest.hasEnded || this.#hasLeft) return;
    const { watcher } = this.#world;
    const check = watcher.hearing(this, interest.channel, message);
    const bytes = Buffer.from(message);
    try {
      interest.heard(bytes);
    } catch (thrown) {
      watcher.broken('nothing-reaches-the-bus', String(thrown));
    }
    // The bytes belong to the bus, which uses them again.
    bytes.fill('?');
    check();
  }

  /** The link comes up or goes down. */
  move(to: 'up' | 'down', error?: Error): void {
    if (this.#hasLeft || this.state === to || (this.isClosed && !this.#plan.isCareless)) return;
    this.state = to;
    this.#out.cut();
    this.#in.cut();
    this.#out = new Line(this.#world.clock, this.#plan.outMs);
    this.#in = new Line(this.#world.clock, this.#plan.inMs);
    for (const interest of this.interests.values()) {
      if (to === 'up') interest.note();
      else interest.isNoted = false;
    }
    const check = this.#world.watcher.moving(this, to);
    this.#host.moved(to, error);
    check();
  }

  close(): Promise<void> {
    this.isClosed = true;
    const { leaving, isCareless } = this.#plan;
    if (!isCareless) for (const interest of [...this.interests.values()]) interest.end();
    if (leaving === 'throws') {
      this.vanish();
      throw new Error('it throws');
    }
    if (leaving === 'never') return new Promise(() => {});
    return this.#leaveLater();
  }

  #leaveLater(): Promise<void> {
    const { random, clock } = this.#world;
    const { leaving } = this.#plan;
    const delayMs = leaving === 'slowly' ? random.integer(100, 3_000) : random.integer(0, 20);
    return new Promise((resolve, reject) => {
      clock.arriveAt(clock.now() + delayMs, () => {
        this.vanish();
        if (leaving === 'rejects') reject(new Error('it rejects'));
        else resolve();
      });
    });
  }

  /** Leaves the bus without a word. */
  vanish(): void {
    this.#hasLeft = true;
    this.isClosed = true;
    this.interests.clear();
    this.#world.bus.links.delete(this);
  }
}
