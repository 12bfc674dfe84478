import type { Connection, Delivery, SupervisorOptions } from '../../src/index.ts';
import { ServiceSupervisor } from '../../src/server/supervisor.ts';
import { FakePeer } from './fake-peer.ts';
import { FakeSocket } from './fake-socket.ts';
import type { FakeFrameKind, FakeSocketWatcher } from './fake-socket-faces.ts';
import { FakeUpgrader, fakeUpgrade } from './fake-upgrade.ts';
import { payloadsIn } from './server-frames.ts';
import { SimulatedClock } from './simulated-clock.ts';

/** How often the fan-out and the outbox have looked at a socket. */
class WatchedSocket extends FakeSocket {
  visits = 0;

  override get writable(): boolean {
    this.visits += 1;
    return super.writable;
  }
}

/** One member, and what was written to it: a list of messages for each write. */
export class Member implements FakeSocketWatcher {
  readonly socket: WatchedSocket;
  readonly writes: string[][] = [];
  /** The kinds of all frames, in order. */
  readonly kinds: FakeFrameKind[] = [];
  connection!: Connection;

  constructor(clock: SimulatedClock) {
    this.socket = new WatchedSocket(clock);
    this.socket.watcher = this;
    const peer = {
      latencyMs: () => 1,
      pongMs: () => 1,
      beatMs: () => null,
      closing: 'echo',
    } as const;
    new FakePeer(clock, this.socket, { ...peer, ends: true, readBytes: 1e6, readEveryMs: 1 });
  }

  wrote(_socket: FakeSocket, kind: FakeFrameKind, bytes: Uint8Array | string | number): void {
    this.kinds.push(kind);
    if (kind !== 'data' || !(bytes instanceof Uint8Array)) return;
    this.writes.push(
      payloadsIn(bytes).map((payload) => JSON.parse(Buffer.from(payload).toString())),
    );
  }

  telling(): void {}
  told(): void {}
  threw(_socket: FakeSocket, _sign: string, error: unknown): void {
    throw error;
  }

  get got(): string[] {
    return this.writes.flat();
  }
}

/** A supervisor over fake sockets, and a clock that ends its turns. */
export class Stage {
  readonly clock = new SimulatedClock();
  readonly supervisor: ServiceSupervisor<unknown, unknown, unknown, unknown>;
  readonly members: Member[] = [];

  constructor(options: SupervisorOptions<unknown> = {}) {
    const upgrader = new FakeUpgrader(this.clock);
    this.supervisor = new ServiceSupervisor({ clock: this.clock, ...options }, upgrader);
    this.supervisor.events$.subscribe();
  }

  open(): Member {
    const member = new Member(this.clock);
    this.members.push(member);
    const known = new Set(this.supervisor.connections);
    this.supervisor.handleUpgrade(fakeUpgrade(member.socket));
    const [connection] = [...this.supervisor.connections].filter((one) => !known.has(one));
    member.connection = connection as Connection;
    return member;
  }

  crowd(count: number, topic?: string): Member[] {
    const members = Array.from({ length: count }, () => this.open());
    for (const { connection } of members) if (topic !== undefined) connection.join(topic);
    this.endTurn();
    for (const member of members) {
      member.writes.length = 0;
      member.kinds.length = 0;
      member.socket.visits = 0;
    }
    return members;
  }

  publish(message: string, topic = 'lobby'): Delivery {
    return this.supervisor.topic(topic).publish(message);
  }

  /** Ends the turn, and lets the peers read. */
  endTurn(): void {
    this.clock.advance(10);
  }
}
