import type { SupervisorEvent } from '../../../src/core/events.ts';
import { channelOf, type Deliveries } from './deliveries.ts';
import type { KeyMessage, KeyModel } from './key-model.ts';
import type { SimulatedNode } from './node.ts';
import type { NodeConnection, NodeMember } from './node-member.ts';
import type { NodesWorld } from './nodes-world.ts';
import type { BusWatcher } from './simulated-bus.ts';
import type { SimulatedLink } from './simulated-link.ts';

type Event = SupervisorEvent<NodeConnection>;

/** Begins the heading of a message of the bus. */
const START_OF_HEADING = 0x01;

const NUMBER = /^\{"n":(\d+)/;

const nothing = () => {};

/** Judges what supervisors do on the bus, and what they report. */
export class NodeWatch implements BusWatcher {
  /** Called after a node has heard something or has reported something, so that the application can act there. */
  disturb: (node: SimulatedNode, isNotified: boolean) => void = nothing;
  readonly #world: NodesWorld;
  readonly #deliveries: Deliveries;
  readonly #keys: KeyModel;
  /** How often a node heard a message. */
  heard = 0;

  constructor(world: NodesWorld, deliveries: Deliveries, keys: KeyModel) {
    this.#world = world;
    this.#deliveries = deliveries;
    this.#keys = keys;
  }

  broken(rule: string, problem: string): void {
    this.#world.broken(rule, problem);
  }

  #nodeOf({ node }: SimulatedLink): SimulatedNode {
    return this.#world.nodes[node] as SimulatedNode;
  }

  published(link: SimulatedLink, channel: string, message: Buffer, isTaken: boolean): void {
    const node = this.#nodeOf(link);
    if (node.isDead) return;
    this.#world.note(`publishes ${channel}`, node.index, String(isTaken));
    if (channel === 'keys') this.#keys.offered(node, keyMessageOf(message) ?? {}, isTaken);
    else this.#deliveries.offered(node, channel, numberOf(message), isTaken);
  }

  hearing(link: SimulatedLink, channel: string, message: Buffer): () => void {
    const node = this.#nodeOf(link);
    this.heard += 1;
    this.#world.note(`hears ${channel}`, node.index, numberOf(message));
    const check = this.#expect(node, channel, message);
    return () => {
      check();
      this.disturb(node, false);
    };
  }

  #expect(node: SimulatedNode, channel: string, message: Buffer): () => void {
    if (node.link.isClosed) return this.#expectNothing(node);
    if (channel === 'keys') {
      const about = keyMessageOf(message);
      if (about !== undefined) return this.#keys.heard(node, about);
    }
    const publication = this.#deliveries.get(numberOf(message));
    if (publication === undefined) node.nonsenseHeard += 1;
    else if (channelOf(publication.topic) !== channel) this.broken('stays-in-its-topic', channel);
    else return this.#deliveries.reach(publication, node).check;
    return nothing;
  }

  /** A process that leaves hears nothing, whatever its bus does. */
  #expectNothing(node: SimulatedNode): () => void {
    const { nonsenseReported } = node;
    return () => {
      if (node.nonsenseReported !== nonsenseReported)
        this.broken('silent-after-the-drain', 'reports what it hears');
    };
  }

  moving(link: SimulatedLink, to: 'up' | 'down'): () => void {
    const node = this.#nodeOf(link);
    this.#world.note(`is ${to}`, node.index);
    if (link.isClosed) return nothing;
    node.moves += 1;
    const check = to === 'up' ? this.#keys.comingUp(node) : nothing;
    return () => {
      check();
      this.disturb(node, false);
    };
  }

  // What supervisors report.

  take(node: SimulatedNode, event: Event): void {
    if (node.isDead) return;
    this.#world.note(event.type, node.index);
    if (node.hasStopped) this.broken('silent-after-the-drain', event.type);
    switch (event.type) {
      case 'connection.opened':
        this.#opened(event.connection);
        return;
      case 'connection.closed':
        this.#closed(event);
        this.disturb(node, true);
        return;
      case 'connection.failed':
        if (node.drain === null) this.broken('nothing-fails', event.failure.cause);
        return;
      case 'bus.up':
      case 'bus.down':
        this.#told(node, event.type);
        return;
      case 'supervisor.stopped':
        node.hasStopped = true;
        return;
      case 'connection.crashed':
        this.broken('nothing-throws', String(event.error.stack));
        return;
      default:
        return;
    }
  }

  #told(node: SimulatedNode, type: 'bus.up' | 'bus.down'): void {
    node.movesEmitted += 1;
    if (type !== `bus.${node.link.state}`) this.broken('bus-state-is-true', `${type} is emitted`);
    this.disturb(node, true);
  }

  #opened(connection: NodeConnection): void {
    const member = this.#world.members[connection.peer.number - 1] as NodeMember;
    member.connection = connection;
    if (this.#world.byId.has(connection.id)) this.broken('ids-are-unique', connection.id);
    this.#world.byId.set(connection.id, member);
    const { key } = connection.peer;
    const check = this.#keys.entering(member, key);
    member.key = key;
    member.checkOpened = check;
  }

  #closed({ connection, verdict }: Extract<Event, { type: 'connection.closed' }>): void {
    const member = this.#world.members[connection.peer.number - 1] as NodeMember;
    const { number, mayEndAs } = member;
    this.#world.count(`closed ${verdict.cause}`);
    if (member.isOver) this.broken('ends-once', `c${number}`);
    member.isOver = true;
    if (!mayEndAs.has(verdict.cause))
      this.broken('ends-with-a-cause', `c${number}: ${verdict.cause}, not ${[...mayEndAs]}`);
  }

  /** A supervisor reports an error of the application, or of the bus. */
  errored(node: SimulatedNode, handler: string, error: Error): void {
    if (node.isDead) return;
    this.#world.note(`${handler} errored`, node.index, error.message);
    if (handler !== 'bus') this.broken('nothing-throws', `${handler}: ${error.stack}`);
    else if (error.message === 'it rejects' || error.message === 'it throws') return;
    node.nonsenseReported += 1;
    if (node.drain?.isOver) this.broken('silent-after-the-drain', error.message);
  }
}

/** The number in a message. 0 for nonsense, and for messages about keys. */
export function numberOf(message: Uint8Array): number {
  const text = Buffer.from(message).toString();
  const begin = message[0] === START_OF_HEADING ? text.indexOf('\n') + 1 : 0;
  const found =
    begin > 0 || message[0] !== START_OF_HEADING ? NUMBER.exec(text.slice(begin)) : null;
  return Number(found?.[1] ?? 0);
}

/** A message about keys; `undefined` for nonsense. */
function keyMessageOf(message: Uint8Array): KeyMessage | undefined {
  const text = Buffer.from(message).toString();
  return /^\{"(close|newest)":/.test(text) ? (JSON.parse(text) as KeyMessage) : undefined;
}
