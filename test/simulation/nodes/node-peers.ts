import type { CloseCause } from '../../../src/core/verdict.ts';
import { FakePeer, type FakePeerManners } from '../fake-peer.ts';
import { FakeSocket, systemError } from '../fake-socket.ts';
import type { FakeFrameKind, FakeSign, FakeSocketWatcher } from '../fake-socket-faces.ts';
import { fakeUpgrade } from '../fake-upgrade.ts';
import { payloadsIn } from '../server-frames.ts';
import type { Deliveries } from './deliveries.ts';
import type { SimulatedNode } from './node.ts';
import { NodeMember } from './node-member.ts';
import { numberOf } from './node-watch.ts';
import type { NodesWorld } from './nodes-world.ts';

/** Few, so that connections of all nodes share them. */
export const PEER_KEYS = ['ada', 'bob', 'eve'] as const;

/** How long a slow peer reads nothing at most, in milliseconds. */
const SLOW_MS = 2_000;

const afterPeerClosed: readonly CloseCause[] = ['peer-close', 'tcp-fin', 'send-error'];
const afterReset: readonly CloseCause[] = ['tcp-reset', 'send-error'];
const afterSlowness: readonly CloseCause[] = ['slow-consumer'];

/** The clients of a simulated service, and what is written to them. */
export class NodePeers implements FakeSocketWatcher {
  readonly #world: NodesWorld;
  readonly #deliveries: Deliveries;
  readonly #bySocket = new Map<FakeSocket, NodeMember>();

  constructor(world: NodesWorld, deliveries: Deliveries) {
    this.#world = world;
    this.#deliveries = deliveries;
  }

  /** A client connects to a node. */
  come(node: SimulatedNode): void {
    const { random, clock, members, plan } = this.#world;
    const kernelBytes = plan.isLoud ? random.integer(500, 2_000) : 65_536;
    const socket = new FakeSocket(clock, { kernelBytes });
    const peer = new FakePeer(clock, socket, this.#manners());
    const firstKey = random.chance(0.3) ? undefined : random.pick(PEER_KEYS);
    const number = members.length + 1;
    const member = new NodeMember({ number, node, firstKey }, socket, peer);
    members.push(member);
    socket.watcher = this;
    this.#bySocket.set(socket, member);
    this.#world.note('comes', number, node.index);
    node.supervisor.handleUpgrade(fakeUpgrade(socket, { url: `/${number}` }));
    member.checkOpened();
    if (plan.isLoud && random.chance(0.5)) this.#slowDown(member);
    if (node.isServing && member.connection === null)
      this.#world.broken('nothing-fails', `c${number} has not opened`);
  }

  #manners(): FakePeerManners {
    const { random } = this.#world;
    const latencyMs = random.integer(0, 30);
    return {
      latencyMs: () => latencyMs,
      pongMs: () => 5,
      beatMs: () => null,
      closing: random.chance(0.9) ? 'echo' : 'never',
      ends: true,
      readBytes: 1_000_000,
      readEveryMs: 0,
    };
  }

  /** Makes a client leave, or read nothing for a while. */
  disturb(member: NodeMember): void {
    const { random } = this.#world;
    const draw = random.next();
    this.#world.note('peer acts', member.number, draw);
    if (draw < 0.3) {
      for (const cause of afterPeerClosed) member.mayEndAs.add(cause);
      member.peer.close(random.pick([1000, 1001, 4001]));
    } else if (draw < 0.4) {
      for (const cause of afterReset) member.mayEndAs.add(cause);
      member.peer.reset(systemError('ECONNRESET'));
    } else this.#slowDown(member);
  }

  #slowDown(member: NodeMember): void {
    for (const cause of afterSlowness) member.mayEndAs.add(cause);
    member.peer.stopReading();
    this.#world.in(this.#world.random.integer(10, SLOW_MS), () => member.peer.resumeReading());
  }

  /** The process of a node is gone, and its sockets with it. */
  vanish(node: SimulatedNode): void {
    for (const { node: other, socket, peer } of this.#world.members) {
      if (other !== node) continue;
      peer.vanish();
      socket.removeAllListeners();
      socket.on('error', () => {});
    }
  }

  wrote(socket: FakeSocket, kind: FakeFrameKind, bytes: Uint8Array | string | number): void {
    const member = this.#bySocket.get(socket);
    if (member === undefined || member.node.isDead) return;
    if (kind === 'close') {
      member.isClosing = true;
      this.#deliveries.judge(member);
    }
    if (kind !== 'data' || !(bytes instanceof Uint8Array)) return;
    for (const payload of payloadsIn(bytes)) {
      this.#world.note('is written', member.number, numberOf(payload));
      this.#deliveries.wrote(member, numberOf(payload));
    }
  }

  telling(): void {}
  told(): void {}

  threw(socket: FakeSocket, sign: FakeSign, thrown: unknown): void {
    const member = this.#bySocket.get(socket);
    if (member?.node.isDead) return;
    const { stack } = thrown as Error;
    this.#world.broken('nothing-throws', `c${member?.number} at ${sign}: ${stack}`);
  }
}
