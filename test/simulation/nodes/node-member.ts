import type { Connection } from '../../../src/core/connection.ts';
import type { CloseCause } from '../../../src/core/verdict.ts';
import type { FakePeer } from '../fake-peer.ts';
import type { FakeSocket } from '../fake-socket.ts';
import type { SimulatedNode } from './node.ts';

/** A message of the simulated service. */
export interface NodeMessage {
  readonly n: number;
  /** Listeners answer it. */
  readonly isQuestion?: true;
  readonly pad?: string;
}

/** Who a connection belongs to. */
export interface NodePeer {
  readonly number: number;
  readonly key: string | undefined;
}

export type NodeConnection = Connection<NodePeer, NodeMessage, NodeMessage>;

/** A publication that a member may get. */
export interface Expectation {
  readonly n: number;
  /** The topic and the key of the message, for the policy `latest`; `undefined` for the others. */
  readonly line: string | undefined;
  /** The topic; `undefined` for a broadcast. */
  readonly topic: string | undefined;
  readonly atMs: number;
  /** Where it stands among all that the member may get. */
  readonly place: number;
  /** Whether the member must get it, may get it later, must not get it, or loses it with its socket. */
  fate: 'must' | 'later' | 'never' | 'lost';
  isWritten: boolean;
}

/** One connection of a simulated service, and what is known of it from outside. */
export class NodeMember {
  readonly number: number;
  readonly node: SimulatedNode;
  readonly socket: FakeSocket;
  readonly peer: FakePeer;
  connection: NodeConnection | null = null;
  /** Its key now, and the one with which it connects. */
  key: string | undefined;
  readonly firstKey: string | undefined;
  readonly topics = new Set<string>();
  /** The causes with which it may end. */
  readonly mayEndAs = new Set<CloseCause>();
  /** Checks what its opening has caused. */
  checkOpened: () => void = () => {};
  /** Its close frame has been written. */
  isClosing = false;
  isOver = false;
  readonly expectations: Expectation[] = [];
  readonly byNumber = new Map<number, Expectation[]>();
  /** All that the member must get up to this place has been written. */
  writtenUpTo = 0;
  /** The place of the last message that was written of each line. */
  readonly lastOfLine = new Map<string, number>();

  constructor(
    who: Pick<NodeMember, 'number' | 'node' | 'firstKey'>,
    socket: FakeSocket,
    peer: FakePeer,
  ) {
    const { number, node, firstKey } = who;
    this.number = number;
    this.node = node;
    this.firstKey = firstKey;
    this.socket = socket;
    this.peer = peer;
  }

  get isOpen(): boolean {
    return this.connection?.state === 'open' && !this.node.isDead;
  }

  get id(): string {
    return this.connection?.id ?? 'nobody';
  }

  expect(given: Pick<Expectation, 'n' | 'line' | 'topic' | 'atMs' | 'fate'>): void {
    const expectation = { ...given, place: this.expectations.length, isWritten: false };
    this.expectations.push(expectation);
    const same = this.byNumber.get(given.n);
    if (same === undefined) this.byNumber.set(given.n, [expectation]);
    else same.push(expectation);
  }

  /** What a written message fulfils. A doubled one counts for each time that it was heard; a kept one, for the last. */
  dueOf(n: number): Expectation | undefined {
    const left = (this.byNumber.get(n) ?? []).filter(({ isWritten }) => !isWritten);
    const due = left.find(({ fate }) => fate === 'must');
    return due ?? left.findLast(({ fate }) => fate === 'later') ?? left[0];
  }
}
