import type { SimulatedNode } from './node.ts';
import type { NodeMember } from './node-member.ts';
import type { NodesWorld } from './nodes-world.ts';

/** The newest connection with a key, as it is announced: the key, its stamp, and its id. */
type Announcement = readonly [key: string, stamp: number, id: string];

/** A message about keys. */
export interface KeyMessage {
  readonly close?: { readonly key: string };
  readonly newest?: readonly Announcement[];
}

interface Known {
  readonly key: string;
  readonly stamp: number;
}

/**
 * What the nodes must do about keys: announce with stamps that grow along every chain of events, close what is older than an
 * announcement, and announce again what is newer.
 */
export class KeyModel {
  readonly #world: NodesWorld;
  /** The stamps of connections, as they were first announced. */
  readonly #known = new Map<NodeMember, Known>();
  /** The highest stamp that each node knows. */
  readonly #highest = new Map<SimulatedNode, number>();
  /** What its node knew when a connection got its key. It may be announced later, when the bus is up. */
  readonly #highestBefore = new Map<NodeMember, number>();
  /** The ids that a node announces while it does something. */
  #announced: Set<string> = new Set();
  /** Whether the link took the last message about keys. */
  lastTaken = false;

  constructor(world: NodesWorld) {
    this.#world = world;
  }

  get #isNewest(): boolean {
    return this.#world.plan.sameKey === 'newest';
  }

  /** A connection of a node is about to have this key. Returns a check of what follows. */
  entering(member: NodeMember, key: string | undefined): () => void {
    if (!this.#isNewest || key === undefined) return () => {};
    this.#highestBefore.set(member, this.#highest.get(member.node) ?? 0);
    const others = this.#world.openAt(member.node).filter((one) => one.key === key);
    return this.#replaced(
      others.filter((other) => other !== member),
      'a newer one opened',
    );
  }

  #replaced(members: readonly NodeMember[], why: string): () => void {
    for (const { mayEndAs } of members) mayEndAs.add('replaced');
    return () => {
      for (const { isOpen, number } of members)
        if (isOpen) this.#world.broken('newest-replaces-older', `c${number} is open: ${why}`);
      if (members.length > 0) this.#world.count('replaced');
    };
  }

  /** Connections with this key are about to be closed here. Returns how many, and a check of what follows. */
  closing(node: SimulatedNode, key: string): { readonly count: number; check: () => void } {
    const members = this.#world.openAt(node).filter((member) => member.key === key);
    for (const { mayEndAs } of members) mayEndAs.add('close').add('close-timeout');
    const check = () => {
      for (const { isOpen, number } of members)
        if (isOpen) this.#world.broken('close-key-closes', `c${number}`);
    };
    return { count: members.length, check };
  }

  /** A node offers a message about keys to its link. */
  offered(node: SimulatedNode, { newest = [] }: KeyMessage, isTaken: boolean): void {
    this.lastTaken = isTaken;
    if (newest.length > 0 && !this.#isNewest)
      this.#world.broken('announces-its-own', 'with the policy many');
    for (const announcement of newest) this.#announcedBy(node, announcement);
  }

  #announcedBy(node: SimulatedNode, [key, stamp, id]: Announcement): void {
    const member = this.#world.byId.get(id);
    if (member?.node !== node || !member.isOpen || member.key !== key) {
      this.#world.broken('announces-its-own', `${id} with ${key}`);
      return;
    }
    this.#announced.add(id);
    const known = this.#known.get(member);
    if (known?.key === key && known.stamp === stamp) return;
    const before = this.#highestBefore.get(member) ?? 0;
    if (stamp <= before) this.#world.broken('stamps-grow', `${id}: ${stamp} after ${before}`);
    this.#highest.set(node, Math.max(this.#highest.get(node) ?? 0, stamp));
    this.#known.set(member, { key, stamp });
  }

  /** A node is about to hear a message about keys. Returns a check of what follows. */
  heard(node: SimulatedNode, { close, newest = [] }: KeyMessage): () => void {
    if (close !== undefined) return this.closing(node, close.key).check;
    this.#announced = new Set();
    const checks = newest.map((announcement) => this.#heardOf(node, announcement));
    return () => {
      for (const check of checks) check();
    };
  }

  #heardOf(node: SimulatedNode, [key, stamp, id]: Announcement): () => void {
    this.#highest.set(node, Math.max(this.#highest.get(node) ?? 0, stamp));
    if (!this.#isNewest) return () => {};
    const members = this.#world.openAt(node).filter((member) => member.key === key);
    const older = members.filter((member) => {
      const known = this.#known.get(member)?.stamp ?? 0;
      return known < stamp || (known === stamp && member.id < id);
    });
    const check = this.#replaced(older, `${id} is newer`);
    const newer = members.filter((member) => !older.includes(member));
    return () => {
      check();
      for (const member of newer) this.#checkKept(member, id);
    };
  }

  #checkKept(member: NodeMember, id: string): void {
    if (!member.isOpen)
      this.#world.broken('newest-stays', `c${member.number} made way for ${id}, which is older`);
    else if (!this.#announced.has(member.id))
      this.#world.broken('newest-answers', `c${member.number} did not answer ${id}`);
  }

  /** A link comes up. Returns a check that all its connections with keys are announced. */
  comingUp(node: SimulatedNode): () => void {
    if (!this.#isNewest) return () => {};
    this.#announced = new Set();
    return () => {
      for (const member of this.#world.openAt(node))
        if (member.key !== undefined && !this.#announced.has(member.id))
          this.#world.broken('announces-again', `c${member.number}`);
    };
  }

  /** When all links have been up for a while, one connection is left for each key. */
  checkSettled(): void {
    if (!this.#isNewest) return;
    const open = new Map<string, NodeMember>();
    for (const member of this.#world.members) {
      const { key } = member;
      if (!member.isOpen || key === undefined || !member.node.isServing) continue;
      const other = open.get(key);
      if (other !== undefined)
        this.#world.broken('one-for-each-key', `c${other.number} and c${member.number}: ${key}`);
      open.set(key, member);
    }
  }
}
