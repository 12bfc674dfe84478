import type { Ending } from '../../../src/client/client-types.ts';
import type { OutboundConnection } from '../../../src/client/outbound-connection.ts';
import type { Mutable } from '../../../src/core/verdict.ts';
import type { Fate } from '../dialed/fate.ts';
import type { PoolSocket } from './pool-socket.ts';

/** What ends an attempt, or its connection: a sign of the socket, or an act of the application. */
export type Sign =
  | 'reset'
  | 'refused'
  | 'rejected'
  | 'fin'
  | 'close-frame'
  | 'violation'
  | 'socket-closed'
  | 'our-close'
  | 'our-terminate'
  | 'our-fail'
  | 'handler-threw'
  | 'drained'
  | 'no-target'
  /** Nothing else: Mooring has ended it for its own reason. */
  | 'itself';

/** What actually happened to one attempt of a member. */
export class Attempt {
  readonly number: number;
  readonly member: number;
  readonly startedMs: number;
  readonly connection: OutboundConnection;
  readonly fate: Mutable<Fate>;
  socket: PoolSocket | null = null;
  /** The upstream that was chosen for it. `null` before that. */
  url: string | null = null;
  openedMs: number | null = null;
  /** When the last input of the peer arrived. */
  heardMs = 0;
  heardBytes = 0;
  dialedMs: number | null = null;
  /** Whether `onOpen` has settled. */
  isWelcomed = false;
  /** Whether the chart of its member now considers it stable, and whether it ever has. */
  isStable = false;
  hasLasted = false;
  /** The first event that can end it. */
  first: { readonly sign: Sign; readonly atMs: number } | null = null;
  readonly signs = new Set<Sign>();
  ending: Ending | null = null;

  constructor(made: Pick<Attempt, 'number' | 'member' | 'startedMs' | 'connection' | 'fate'>) {
    const { number, member, startedMs, connection, fate } = made;
    this.number = number;
    this.member = member;
    this.startedMs = startedMs;
    this.connection = connection;
    this.fate = fate;
  }

  note(sign: Sign, atMs: number): void {
    if (this.ending !== null) return;
    this.noteOwnEnd(atMs);
    this.signs.add(sign);
    this.first ??= { sign, atMs };
  }

  /** Records when Mooring has ended it without an event that can end it. */
  noteOwnEnd(atMs: number): void {
    const isEnded = this.openedMs === null ? this.connection.isOver : !this.connection.isOpen;
    if (isEnded) this.first ??= { sign: 'itself', atMs };
  }

  /** Whether a pool may hand it out. */
  get isUp(): boolean {
    return this.openedMs !== null && this.isWelcomed && this.first === null;
  }

  /** Whether it counts as a member of its upstream. */
  get isThere(): boolean {
    return this.url !== null && this.ending === null;
  }
}
