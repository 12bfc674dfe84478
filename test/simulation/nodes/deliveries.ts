import type { Delivery, Overflow } from '../../../src/server/supervisor-types.ts';
import type { NodeListener, SimulatedNode } from './node.ts';
import type { NodeMember } from './node-member.ts';
import type { NodesWorld } from './nodes-world.ts';

/** The topics of the simulated service, one for each policy. */
export const TOPICS = ['red', 'green', 'blue'] as const;

export type TopicName = (typeof TOPICS)[number];

const KEYS = 3;

/** The key of a message, for the policy `latest`. */
export const keyOf = ({ n }: { readonly n: number }) => String(n % KEYS);

export const overflowOf: Readonly<Record<TopicName, Overflow>> = {
  red: 'drop-newest',
  green: 'latest',
  blue: 'close',
};

/** A message that was published, and what became of it. */
export interface NodePublication {
  readonly n: number;
  /** The index of the node; -1 for another program. */
  readonly from: number;
  /** `undefined` for a broadcast. */
  readonly topic: TopicName | undefined;
  readonly isLocal: boolean;
  readonly except: ReadonlySet<NodeMember>;
  readonly isQuestion: boolean;
  /** Whether the link took it; `undefined` before it was offered. */
  taken: boolean | undefined;
}

/** How many members must get a publication, and how many are congested. */
export interface Recipients {
  readonly ready: number;
  readonly congested: number;
  /** Some have lost their socket, so the counts of the publisher may differ. */
  readonly haveLost: boolean;
  /** Checks that members that are too slow for the policy `close` are closed. */
  check(): void;
}

const INSTANT_MS = 0.001;

/**
 * What each member and each listener must get: a queue for each, to which a publication is added when its node publishes it or
 * hears it. It knows nothing of how Mooring fans out.
 */
export class Deliveries {
  /** How many publications members must have got. */
  expected = 0;
  readonly #world: NodesWorld;
  readonly #publications = new Map<number, NodePublication>();
  /** The number that each node has last offered to each channel. */
  readonly #lastOffered = new Map<string, number>();
  #isJudgeDue = false;
  #lastN = 1_000_000;

  constructor(world: NodesWorld) {
    this.#world = world;
  }

  begin(given: Omit<NodePublication, 'n' | 'taken'>): NodePublication {
    this.#lastN += 1;
    const publication = { ...given, n: this.#lastN, taken: undefined };
    this.#publications.set(publication.n, publication);
    return publication;
  }

  get(n: number): NodePublication | undefined {
    return this.#publications.get(n);
  }

  /** A node publishes it to its own members now, or has heard of it. */
  reach(publication: NodePublication, node: SimulatedNode): Recipients {
    const { topic, except, n } = publication;
    const recipients = this.#world.membersOf(node, topic).filter((member) => !except.has(member));
    const congested = recipients.filter((member) => !this.#expect(member, publication));
    for (const listener of node.listeners) if (listener.topic === topic) listener.expected.push(n);
    this.#judgeLater();
    const haveLost = recipients.some(({ socket }) => !socket.writable);
    return {
      ready: recipients.length - congested.length,
      congested: congested.length,
      haveLost,
      check: () => {
        if (topic !== undefined && overflowOf[topic] === 'close') this.#checkClosed(congested);
      },
    };
  }

  #checkClosed(members: readonly NodeMember[]): void {
    for (const { number, isOpen, socket } of members)
      if (isOpen && socket.writable) this.#world.broken('slow-members-are-closed', `c${number}`);
  }

  /** Returns whether the member can take it. */
  #expect(member: NodeMember, { n, topic }: NodePublication): boolean {
    const overflow = topic === undefined ? 'drop-newest' : overflowOf[topic];
    const line = overflow === 'latest' ? `${topic} ${keyOf({ n })}` : undefined;
    const isFlowing = member.connection?.flow === 'flowing';
    if (!isFlowing && overflow === 'close') member.mayEndAs.add('slow-consumer');
    const late = overflow === 'latest' ? 'later' : 'never';
    const fate = isFlowing ? 'must' : late;
    if (fate === 'must') this.expected += 1;
    else this.#world.count(fate === 'later' ? 'kept' : 'refused');
    const isGone = !member.socket.writable;
    member.expect({
      ...{ n, line, topic, atMs: this.#world.clock.now() },
      fate: isGone ? 'lost' : fate,
    });
    return isFlowing && !isGone;
  }

  /** A direct message to one member. */
  sendTo(member: NodeMember, send: (n: number) => boolean): void {
    const empty = { from: -1, topic: undefined, isLocal: true, isQuestion: false };
    const { n } = this.begin({ ...empty, except: new Set() });
    const isFlowing = member.isOpen && member.connection?.flow === 'flowing';
    const fate = isFlowing ? 'must' : 'never';
    const isGone = !member.socket.writable;
    const atMs = this.#world.clock.now();
    member.expect({ n, line: undefined, topic: undefined, atMs, fate: isGone ? 'lost' : fate });
    this.#judgeLater();
    if (send(n) !== isFlowing && !isGone)
      this.#world.broken('sends-to-the-open', `${n} to c${member.number}`);
  }

  /** It was refused as a whole, so nobody gets it. */
  revoke({ n }: NodePublication, node: SimulatedNode): void {
    for (const member of this.#world.members)
      for (const expectation of member.byNumber.get(n) ?? []) expectation.fate = 'never';
    for (const { expected } of node.listeners) if (expected.at(-1) === n) expected.pop();
  }

  /** The result that the publisher got. */
  returned(publication: NodePublication, delivery: Delivery, recipients: Recipients): void {
    const { n, isLocal, taken = false } = publication;
    const { delivered, kept, dropped, forwarded } = delivery;
    const broken = (rule: string) => this.#world.broken(rule, `${n}: ${JSON.stringify(delivery)}`);
    if (forwarded !== taken) broken('forwarded-is-true');
    if (isLocal && publication.taken !== undefined) broken('local-stays-here');
    recipients.check();
    if (recipients.haveLost) return;
    if (delivered !== recipients.ready || kept + dropped !== recipients.congested)
      broken('own-node-is-served');
  }

  /** A node offers a publication to its link. */
  offered(node: SimulatedNode, channel: string, n: number, isTaken: boolean): void {
    const publication = this.#publications.get(n);
    const broken = (rule: string) => this.#world.broken(rule, `${n} of ${node.index}: ${channel}`);
    if (publication === undefined || publication.from !== node.index) {
      broken('publishes-its-own');
      return;
    }
    if (publication.isLocal) broken('local-stays-here');
    if (publication.taken !== undefined) broken('published-once');
    publication.taken = isTaken;
    if (channel !== channelOf(publication.topic)) broken('published-once');
    const line = `${node.index} ${channel}`;
    if ((this.#lastOffered.get(line) ?? 0) > n) broken('forwarded-in-order');
    this.#lastOffered.set(line, n);
  }

  // What members and listeners get.

  wrote(member: NodeMember, n: number): void {
    const expectation = member.dueOf(n);
    const broken = (problem: string) =>
      this.#world.broken('members-get-what-is-theirs', `${n} to c${member.number}: ${problem}`);
    if (member.isClosing) broken('behind the close frame');
    if (expectation === undefined) {
      broken(member.byNumber.has(n) ? 'once more' : 'not for it');
      return;
    }
    expectation.isWritten = true;
    const { fate, place, line } = expectation;
    if (fate === 'never') broken('congested, or gone from the topic');
    if (fate !== 'later') this.#writtenUpTo(member, place);
    if (line === undefined) return;
    if ((member.lastOfLine.get(line) ?? -1) > place) broken('outdated');
    member.lastOfLine.set(line, place);
  }

  /** All before it must have been written. */
  #writtenUpTo(member: NodeMember, place: number): void {
    if (place < member.writtenUpTo) {
      this.#world.broken('members-get-in-order', `c${member.number}`);
      return;
    }
    for (let at = member.writtenUpTo; at < place; at += 1) {
      const { fate, isWritten, n } = member.expectations[at] as NodeMember['expectations'][number];
      if (fate === 'must' && !isWritten)
        this.#world.broken('members-get-in-order', `${n} is overtaken at c${member.number}`);
    }
    member.writtenUpTo = place + 1;
  }

  /** A close frame is written, or the turn is over: everything that is due must have left. */
  judge(member: NodeMember): void {
    const nowMs = this.#world.clock.now();
    const { expectations } = member;
    for (let at = member.writtenUpTo; at < expectations.length; at += 1) {
      const { fate, isWritten, n, atMs } = expectations[at] as (typeof expectations)[number];
      if (fate !== 'must' || isWritten || (atMs === nowMs && !member.isClosing)) continue;
      this.#world.broken('members-get-what-is-theirs', `${n} to c${member.number}: missed`);
    }
  }

  /** Its turn ends when everything that is due at this moment is done, in any order. */
  #judgeLater(): void {
    if (this.#isJudgeDue) return;
    this.#isJudgeDue = true;
    this.#world.in(INSTANT_MS, () => {
      this.#isJudgeDue = false;
      for (const member of this.#world.members)
        if (member.isOpen && member.socket.writable) this.judge(member);
    });
  }

  left(member: NodeMember, topic: string): void {
    for (const expectation of member.expectations)
      if (expectation.topic === topic && expectation.fate === 'later') expectation.fate = 'never';
  }

  /** A listener got a message. Returns its publication. */
  listened(listener: NodeListener, n: number): NodePublication | undefined {
    const expected = listener.expected[listener.got];
    listener.got += 1;
    if (expected !== n)
      this.#world.broken('listeners-get-all', `${n} instead of ${expected} in ${listener.topic}`);
    return this.#publications.get(n);
  }
}

export function channelOf(topic: string | undefined): string {
  return topic === undefined ? 'all' : `live/${topic}`;
}
