import type { Deliveries } from './deliveries.ts';
import { channelOf } from './deliveries.ts';
import type { SimulatedNode } from './node.ts';
import type { NodesWorld } from './nodes-world.ts';

/** What must hold between two steps, and at the end. */
export class NodesRules {
  readonly #world: NodesWorld;
  readonly #deliveries: Deliveries;

  constructor(world: NodesWorld, deliveries: Deliveries) {
    this.#world = world;
    this.#deliveries = deliveries;
  }

  check(): void {
    for (const node of this.#world.nodes) if (!node.isDead) this.#checkNode(node);
  }

  #checkNode(node: SimulatedNode): void {
    const { supervisor, link, drain, index } = node;
    const { broken } = this.#brokenAt(node);
    const state = link.isClosed ? 'down' : (link.state ?? 'connecting');
    if (supervisor.bus !== state) broken('bus-state-is-true', `${supervisor.bus}, not ${state}`);
    if (node.moves !== node.movesEmitted && !node.hasStopped)
      broken('bus-events-once', `${node.movesEmitted} of ${node.moves}`);
    if (node.nonsenseHeard !== node.nonsenseReported && !node.hasStopped)
      broken('nonsense-is-reported', `${node.nonsenseReported} of ${node.nonsenseHeard}`);
    if (drain !== null && !drain.isOver && this.#world.clock.now() > drain.dueMs)
      broken('drain-ends-in-time', `node ${index}`);
    if (!link.isClosed) this.#checkInterest(node);
    this.#checkMembers(node);
    this.#checkListeners(node);
  }

  #brokenAt({ index }: SimulatedNode) {
    const broken = (rule: string, problem: string) =>
      this.#world.broken(rule, `node ${index}: ${problem}`);
    return { broken };
  }

  /** A node listens exactly to what it has members or listeners for. */
  #checkInterest(node: SimulatedNode): void {
    const topics = new Set([...node.listeners].map(({ topic }) => topic));
    const open = this.#world.openAt(node);
    for (const member of open) for (const topic of member.topics) topics.add(topic);
    const expected = ['all', 'keys', ...[...topics].map(channelOf)].sort().join();
    const actual = [...node.link.interests.keys()].sort().join();
    if (actual !== expected)
      this.#brokenAt(node).broken('interest-is-exact', `${actual}, not ${expected}`);
  }

  #checkMembers(node: SimulatedNode): void {
    const open = this.#world.openAt(node);
    const { broken } = this.#brokenAt(node);
    const count = [...node.supervisor.connections].length;
    if (count !== open.length) broken('members-are-members', `${count} are open`);
    for (const { name, size } of node.supervisor.topics) {
      const expected = open.filter(({ topics }) => topics.has(name)).length;
      if (size !== expected) broken('members-are-members', `${size} in ${name}, not ${expected}`);
    }
  }

  #checkListeners(node: SimulatedNode): void {
    for (const { topic, expected, got } of node.listeners)
      if (expected.length !== got)
        this.#brokenAt(node).broken(
          'listeners-get-all',
          `${got} of ${expected.length} in ${topic}`,
        );
  }

  /** What a drain leaves behind. */
  checkDrained(node: SimulatedNode): void {
    const { broken } = this.#brokenAt(node);
    const { supervisor, link, hasStopped } = node;
    if (!hasStopped || supervisor.state !== 'stopped') broken('drain-ends-in-time', 'is not over');
    if (!link.isClosed) broken('leaves-the-bus', 'its link is open');
    if (node.listeners.size > 0) broken('listeners-complete', `${node.listeners.size} do not`);
    for (const member of this.#world.members)
      if (member.node === node && member.connection !== null && !member.isOver)
        broken('ends-once', `c${member.number} has no end`);
  }

  checkEnd(): void {
    const { nodes, members } = this.#world;
    for (const node of nodes) if (!node.isDead) this.#checkEndOf(node);
    for (const member of members) {
      const { node, socket } = member;
      if (!node.isDead && socket.writable) this.#deliveries.judge(member);
    }
  }

  #checkEndOf(node: SimulatedNode): void {
    const { broken } = this.#brokenAt(node);
    if (node.drain?.isOver !== true) broken('drain-ends-in-time', 'never');
    if (node.clock.pending > 0) broken('no-timer-is-left', `${node.clock.pending}`);
    const { n } = this.#deliveries.begin({
      ...{ from: node.index, topic: 'red', isLocal: false, isQuestion: false },
      except: new Set(),
    });
    const delivery = node.supervisor.topic('red').publish({ n });
    if (delivery.forwarded || delivery.delivered > 0)
      broken('silent-after-the-drain', JSON.stringify(delivery));
  }
}
