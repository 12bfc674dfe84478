import type { Subscription } from 'rxjs';
import type { ServiceSupervisor } from '../../../src/server/supervisor.ts';
import type { NodeClock } from './node-clock.ts';
import type { NodeMessage, NodePeer } from './node-member.ts';
import type { SimulatedLink } from './simulated-link.ts';

export type NodeSupervisor = ServiceSupervisor<NodePeer, NodeMessage, NodeMessage, NodeMessage>;

/** A listener of `messages$`, with what it must get. */
export class NodeListener {
  readonly topic: string;
  /** The numbers that it must get, in order, and how many it has got. */
  readonly expected: number[] = [];
  got = 0;
  isComplete = false;
  subscription: Subscription | null = null;

  constructor(topic: string) {
    this.topic = topic;
  }
}

/** A drain of one node. */
export interface NodeDrain {
  /** When it must have resolved. */
  readonly dueMs: number;
  isOver: boolean;
}

/** One process of a simulated service. */
export class SimulatedNode {
  readonly index: number;
  readonly clock: NodeClock;
  supervisor!: NodeSupervisor;
  link!: SimulatedLink;
  /** It has crashed: nothing of it runs. */
  isDead = false;
  hasStopped = false;
  drain: NodeDrain | null = null;
  readonly listeners = new Set<NodeListener>();
  /** How often its bus has told a state, and how often it has emitted that. */
  moves = 0;
  movesEmitted = 0;
  /** Messages that it must report as wrong, and that it has reported. */
  nonsenseHeard = 0;
  nonsenseReported = 0;

  constructor(index: number, clock: NodeClock) {
    this.index = index;
    this.clock = clock;
  }

  /** Whether it takes part in the service. */
  get isServing(): boolean {
    return !this.isDead && this.drain === null;
  }
}
