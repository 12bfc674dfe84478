import { MooringError } from '../../../src/core/errors.ts';
import type { AudienceOptions } from '../../../src/server/supervisor-types.ts';
import {
  channelOf,
  type Deliveries,
  keyOf,
  type NodePublication,
  overflowOf,
  TOPICS,
  type TopicName,
} from './deliveries.ts';
import type { KeyModel } from './key-model.ts';
import { NodeListener, type SimulatedNode } from './node.ts';
import type { NodeConnection, NodeMember, NodeMessage } from './node-member.ts';
import { type NodePeers, PEER_KEYS } from './node-peers.ts';
import type { NodesWorld } from './nodes-world.ts';
import type { SimulatedBus } from './simulated-bus.ts';

/** The longest padding of a message, in bytes. */
const PAD_MAX = 3_000;

/** A heading is never longer than this, in bytes. */
const HEADING_MAX = 400;

/** How deeply acts may lead to further acts. */
const DEPTH_MAX = 2;

const nonsense = [Buffer.from([0xff, 0xfe]), Buffer.from('\u0001'), Buffer.from('\u0001{\n7')];

/** The parts of a simulation that acts use. */
export interface ActParts {
  readonly world: NodesWorld;
  readonly deliveries: Deliveries;
  readonly keys: KeyModel;
  readonly peers: NodePeers;
  readonly bus: SimulatedBus;
}

/** What the application of a simulated service does, in each of its processes, and other programs on its bus. */
export class NodeActs {
  readonly #parts: ActParts;
  readonly #world: NodesWorld;
  #depth = 0;

  constructor(parts: ActParts) {
    this.#parts = parts;
    this.#world = parts.world;
  }

  /** Does a few things in a row, in one turn of the event loop. */
  burst(): void {
    for (let left = this.#world.random.integer(1, 4); left > 0; left -= 1) {
      const node = this.#world.any(this.#world.nodes.filter(({ isDead }) => !isDead));
      if (node !== undefined) this.any(node);
    }
  }

  /** Acts now and then, wherever it is called from. */
  maybe(node: SimulatedNode, isNotified: boolean): void {
    const { random, plan, isQuiet } = this.#world;
    if (isQuiet || node.isDead || plan.restless === 0 || !random.chance(plan.restless)) return;
    const deeper = isNotified ? 1 : 0;
    this.#depth += deeper;
    this.any(node);
    this.#depth -= deeper;
  }

  any(node: SimulatedNode): void {
    if (this.#depth >= DEPTH_MAX || this.#world.violation !== null) return;
    this.#depth += 1;
    const draw = this.#world.random.next();
    if (draw < 0.45) this.#publishSomething(node);
    else if (draw < 0.75) this.#toSomebody(node);
    else if (draw < 0.85) this.#come(node);
    else if (draw < 0.9) this.#listen(node);
    else if (draw < 0.94) this.#closeKey(node);
    else this.#fromOutside();
    this.#depth -= 1;
  }

  // Publications.

  #publishSomething(node: SimulatedNode): void {
    const { random } = this.#world;
    const topic = random.chance(0.25) ? undefined : random.pick(TOPICS);
    this.publish(node, topic, random.chance(0.2));
  }

  publish(node: SimulatedNode, topic: TopicName | undefined, isQuestion: boolean): void {
    const { random } = this.#world;
    const { isLoud } = this.#world.plan;
    const isObserver = topic !== undefined && !isQuestion && random.chance(0.15);
    const except = isObserver ? [] : this.#exceptions();
    const isLocal = !isObserver && random.chance(0.15);
    const { deliveries } = this.#parts;
    const publication = deliveries.begin({
      ...{ from: node.index, topic, isLocal, isQuestion },
      except: new Set(except),
    });
    const { n } = publication;
    const pad = 'x'.repeat(random.chance(isLoud ? 0.6 : 0.1) ? random.integer(0, PAD_MAX) : 0);
    const message: NodeMessage = { n, ...(isQuestion && { isQuestion }), pad };
    this.#world.note('is published', node.index, n);
    if (isObserver) this.#feed(node, publication, message);
    else this.#call(node, publication, { message, options: this.#options(node, except, isLocal) });
  }

  #exceptions(): NodeMember[] {
    const { random, members } = this.#world;
    if (!random.chance(0.25)) return [];
    const open = members.filter(({ isOpen }) => isOpen);
    return [this.#world.any(open), this.#world.any(open)].filter((one) => one !== undefined);
  }

  /** Members of this node by handle or id, those of others by id, and strangers. */
  #options(
    node: SimulatedNode,
    except: readonly NodeMember[],
    isLocal: boolean,
  ): AudienceOptions<NodeConnection> {
    const { random } = this.#world;
    const names = except.map(({ connection, id, node: other }) =>
      connection !== null && other === node && random.chance(0.5) ? connection : id,
    );
    const [first] = names;
    const all = random.chance(0.3) ? [...names, 'zzzzzz.c1'] : names;
    return {
      ...(isLocal && { local: true }),
      ...(first !== undefined && { except: all.length === 1 ? first : new Set(all) }),
    };
  }

  #call(
    node: SimulatedNode,
    publication: NodePublication,
    given: { readonly message: NodeMessage; readonly options: AudienceOptions<NodeConnection> },
  ): void {
    const { message, options } = given;
    const { topic } = publication;
    const { supervisor } = node;
    const recipients = this.#parts.deliveries.reach(publication, node);
    this.#unlessTooLarge(node, publication, message, () => {
      const delivery =
        topic === undefined
          ? supervisor.broadcast(message, options)
          : supervisor.topic(topic, policyOf(topic)).publish(message, options);
      this.#parts.deliveries.returned(publication, delivery, recipients);
      if (!publication.isLocal) this.#checkOffered(node, publication);
    });
  }

  /** A message that is larger than the bus takes is delivered to nobody. */
  #unlessTooLarge(
    node: SimulatedNode,
    publication: NodePublication,
    message: NodeMessage,
    publish: () => void,
  ): void {
    const { payloadBytesMax, isUp } = node.link;
    const bytes = publication.isLocal || !isUp ? 0 : JSON.stringify(message).length;
    const broken = () => this.#world.broken('too-large-is-refused', `${bytes} bytes`);
    try {
      publish();
      if (bytes > payloadBytesMax) broken();
    } catch (thrown) {
      if (!(thrown instanceof MooringError && thrown.code === 'message-too-large')) throw thrown;
      if (bytes + HEADING_MAX < payloadBytesMax) broken();
      this.#parts.deliveries.revoke(publication, node);
    }
  }

  /** Publishes as an Observer, which never throws. It is spared messages that the bus does not take. */
  #feed(node: SimulatedNode, publication: NodePublication, message: NodeMessage): void {
    const { topic } = publication;
    if (topic === undefined) return;
    const { pad, ...short } = message;
    this.#parts.deliveries.reach(publication, node);
    node.supervisor.topic(topic, policyOf(topic)).next(short);
    this.#checkOffered(node, publication);
  }

  /** What a node publishes reaches its link, if that is up. */
  #checkOffered({ link }: SimulatedNode, { taken, n }: NodePublication): void {
    if (taken === undefined && link.isUp)
      this.#world.broken('forwarded-is-true', `${n} was not offered`);
  }

  // Listeners.

  #listen(node: SimulatedNode): void {
    const { random } = this.#world;
    const [listener] = [...node.listeners];
    if (listener !== undefined && random.chance(0.5)) this.#stopListening(node, listener);
    else if (node.listeners.size < 3 && !node.hasStopped)
      this.#startListening(node, new NodeListener(random.pick(TOPICS)));
  }

  #stopListening(node: SimulatedNode, listener: NodeListener): void {
    // Within a notification it may still have messages to get.
    if (this.#depth > 1) return;
    node.listeners.delete(listener);
    listener.subscription?.unsubscribe();
    this.#world.note('stops listening', node.index, listener.topic);
  }

  #startListening(node: SimulatedNode, listener: NodeListener): void {
    // Within a notification it would get messages of before.
    if (this.#depth > 1) return;
    this.#world.note('listens', node.index, listener.topic);
    node.listeners.add(listener);
    listener.subscription = node.supervisor.topic(listener.topic).messages$.subscribe({
      next: ({ n }) => this.#listened(node, listener, n),
      complete: () => {
        listener.isComplete = true;
        node.listeners.delete(listener);
      },
    });
  }

  #listened(node: SimulatedNode, listener: NodeListener, n: number): void {
    if (node.isDead) return;
    const publication = this.#parts.deliveries.listened(listener, n);
    this.#world.count('listened');
    if (publication?.isQuestion) this.publish(node, publication.topic, false);
  }

  // Connections.

  #come(node: SimulatedNode): void {
    // Within a notification its opening would be reported later.
    if (this.#depth <= 1) this.#parts.peers.come(node);
  }

  #toSomebody(node: SimulatedNode): void {
    const member = this.#world.any(this.#world.membersOf(node, undefined));
    const { connection } = member ?? {};
    if (member === undefined || !connection) return;
    const draw = this.#world.random.next();
    if (draw < 0.5) this.#join(member, connection);
    else if (draw < 0.62) this.#leave(member, connection);
    else if (draw < 0.74) this.#renew(member, connection);
    else if (draw < 0.84) this.#send(member, connection);
    else if (draw < 0.95) this.#parts.peers.disturb(member);
    else this.#end(member, connection);
  }

  #join(member: NodeMember, connection: NodeConnection): void {
    const topic = this.#world.random.pick(TOPICS);
    this.#world.note('joins', member.number, topic);
    member.topics.add(topic);
    if (!connection.join(topic)) this.#world.broken('members-are-members', `join ${topic}`);
  }

  #leave(member: NodeMember, connection: NodeConnection): void {
    const [topic] = [...member.topics];
    if (topic === undefined) return;
    this.#world.note('leaves', member.number, topic);
    member.topics.delete(topic);
    this.#parts.deliveries.left(member, topic);
    if (!connection.leave(topic)) this.#world.broken('members-are-members', `leave ${topic}`);
  }

  #renew(member: NodeMember, connection: NodeConnection): void {
    const { random } = this.#world;
    const key = random.chance(0.2) ? undefined : random.pick(PEER_KEYS);
    if (key === member.key) return;
    this.#world.note('is renewed', member.number, key);
    const check = this.#parts.keys.entering(member, key);
    member.key = key;
    if (!connection.renew({ number: member.number, key }))
      this.#world.broken('renews-the-open', `c${member.number}`);
    check();
  }

  #send(member: NodeMember, connection: NodeConnection): void {
    const pad = 'x'.repeat(this.#world.random.integer(0, PAD_MAX / 2));
    this.#parts.deliveries.sendTo(member, (n) => connection.send({ n, pad }) !== 'refused');
  }

  #end(member: NodeMember, connection: NodeConnection): void {
    this.#world.note('is ended', member.number);
    if (this.#world.random.chance(0.5)) {
      member.mayEndAs.add('close').add('close-timeout');
      connection.close(4000, 'enough');
    } else {
      member.mayEndAs.add('terminate');
      connection.terminate();
    }
    if (member.isOpen) this.#world.broken('ends-at-once', `c${member.number}`);
  }

  #closeKey(node: SimulatedNode): void {
    const key = this.#world.random.pick(PEER_KEYS);
    this.#world.note('closes the key', node.index, key);
    const { keys } = this.#parts;
    const { count, check } = keys.closing(node, key);
    keys.lastTaken = false;
    const { closed, forwarded } = node.supervisor.closeKey(key, 4401, 'signed out');
    check();
    if (closed !== count) this.#world.broken('close-key-closes', `${closed} of ${count}`);
    if (forwarded !== keys.lastTaken) this.#world.broken('forwarded-is-true', `closeKey ${key}`);
  }

  // Another program on the bus.

  #fromOutside(): void {
    const { random } = this.#world;
    const { deliveries, bus } = this.#parts;
    const topic = random.chance(0.2) ? undefined : random.pick(TOPICS);
    if (random.chance(0.5)) {
      const channel = random.chance(0.2) ? 'keys' : channelOf(topic);
      bus.route(-1, channel, random.pick(nonsense as [Buffer, ...Buffer[]]));
      return;
    }
    const given = { from: -1, isLocal: false, isQuestion: false, except: new Set<NodeMember>() };
    const { n } = deliveries.begin({ ...given, topic });
    const overflow = topic === undefined ? 'drop-newest' : overflowOf[topic];
    const heading = overflow === 'latest' ? { overflow, key: keyOf({ n }) } : { overflow };
    const isPlain = overflow === 'drop-newest';
    const text = JSON.stringify({ n });
    const message = isPlain ? text : `\u0001${JSON.stringify(heading)}\n${text}`;
    bus.route(-1, channelOf(topic), Buffer.from(message));
  }
}

function policyOf(topic: TopicName) {
  const overflow = overflowOf[topic];
  return overflow === 'latest' ? { overflow, keyOf } : { overflow };
}
