import type { Clock, TimerHandle } from '../core/clock.ts';
import { type CloseFrame, checkedCloseFrame } from '../core/close-code.ts';
import { MooringError } from '../core/errors.ts';
import { kindOf } from '../core/wording.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { Control, Reach } from './reach.ts';
import type { Registry } from './registry.ts';
import type { KeyClosing, SameKeyPolicy } from './supervisor-types.ts';

/** How many keys one message of the bus announces, and how many bytes it has unless it is about a single one. */
const ANNOUNCED_PER_MESSAGE = 200;
const BYTES_PER_MESSAGE = 16_384;

/** What surrounds the announcements of a message. */
const ENVELOPE = '{"newest":[]}';

/** The pause before everything is announced again, because an announcement may not have arrived. */
const ANNOUNCE_AGAIN_MS = 1_000;

/** How far the stamp of another process may lie ahead: a century. Otherwise one message could use up all stamps. */
const LEAP_MAX = 3_155_760_000_000;

/** The newest connection with a key: the key, when it opened, and its id. */
type Announcement = readonly [key: string, stamp: number, id: string];

/** What the supervisors of a service tell each other about keys. */
type KeyMessage =
  | { readonly close: { readonly key: string } & CloseFrame }
  | { readonly newest: readonly Announcement[] };

/** What keys need of their supervisor. */
export interface KeysParts {
  readonly policy: SameKeyPolicy;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly reach: Reach | null;
}

/**
 * Closes connections by their key, in every process of a service.
 *
 * With the policy `newest`, each process announces the connections that open. Announcements have stamps that grow along every
 * chain of events (Lamport's logical clock), so all processes agree on which of two connections is newer, whatever their clocks
 * show.
 */
export class Keys {
  readonly #parts: KeysParts;
  readonly #control: Control | null;
  /** When connections with a key opened, in stamps. Only with the policy `newest`. */
  readonly #stamps = new WeakMap<InboundConnection, number>();
  #lastStamp = 0;
  /** Will announce everything again. */
  #timer: TimerHandle | null = null;

  constructor(parts: KeysParts) {
    this.#parts = parts;
    this.#control =
      parts.reach?.control('keys', {
        heard: (message) => this.#heard(message),
        // What opened on either side of an outage was not announced across it.
        up: () => this.#announceAll(),
        // After a pause, in which NATS servers that have connected learn who hears what.
        rejoined: () => this.#announceAgain(),
      }) ?? null;
  }

  /** Closes the connections with a key. @throws MooringError `invalid-argument` or `invalid-close` */
  close(key: unknown, code: unknown, reason: unknown): KeyClosing {
    if (typeof key !== 'string') {
      throw new MooringError(
        'invalid-argument',
        `closeKey(key): key must be a string, not ${kindOf(key)}`,
      );
    }
    const frame = checkedCloseFrame(code, reason);
    const forwarded = this.#tell({ close: { key, ...frame } }) ?? false;
    return { closed: this.#closeHere(key, frame), forwarded };
  }

  #closeHere(key: string, frame: CloseFrame): number {
    const connections = this.#parts.registry.byKey(key);
    return connections.filter((connection) => connection.close('close', frame)).length;
  }

  /** A connection has opened, or has got another key. */
  entered(connection: InboundConnection): void {
    const { key } = connection.side;
    const { policy, clock } = this.#parts;
    if (policy !== 'newest' || key === undefined || !connection.isOpen) return;
    this.#lastStamp = Math.max(this.#lastStamp + 1, Math.trunc(clock.wallNow()));
    this.#stamps.set(connection, this.#lastStamp);
    this.#announce([[key, this.#lastStamp, connection.id]]);
    for (const other of this.#parts.registry.byKey(key))
      if (other !== connection) other.end('replaced');
  }

  #heard(message: unknown): void {
    const { close, newest } = checkedKeyMessage(message);
    if (close !== undefined) this.#closeHere(close.key, close);
    if (this.#parts.policy !== 'newest' || newest === undefined) return;
    const latest = Math.max(this.#lastStamp, this.#parts.clock.wallNow()) + LEAP_MAX;
    if (newest.some(([, stamp]) => stamp > latest))
      throw new TypeError('a stamp lies in the far future');
    // Answered together: one message may announce thousands, and any program can announce a key a thousand times.
    const newer = new Set<InboundConnection>();
    for (const announcement of newest) this.#heardOf(announcement, newer);
    this.#announceEach(this.#announcementsOf(newer));
  }

  /** @param newer - takes the connections here that are newer than the announced one */
  #heardOf([key, stamp, id]: Announcement, newer: Set<InboundConnection>): void {
    this.#lastStamp = Math.max(this.#lastStamp, stamp);
    for (const connection of this.#parts.registry.byKey(key)) {
      const own = this.#announcementOf(connection);
      if (own === null) continue;
      // Of two that opened at once, every process must choose the same.
      const isOlder = own[1] < stamp || (own[1] === stamp && own[2] < id);
      if (isOlder) connection.end('replaced');
      else newer.add(connection);
    }
  }

  #announcementOf(connection: InboundConnection): Announcement | null {
    const { key } = connection.side;
    const stamp = this.#stamps.get(connection);
    return key === undefined || stamp === undefined ? null : [key, stamp, connection.id];
  }

  /**
   * Sends a message even if there is nothing to announce, with any policy. A NATS server that was frozen delivers late what an
   * earlier connection of this process sent; the others refuse it once they have heard something over this connection.
   */
  #announceAll(): void {
    const { policy, registry } = this.#parts;
    const all = policy === 'newest' ? this.#announcementsOf(registry) : [];
    if (all.length === 0) this.#announce(all);
    this.#announceEach(all);
  }

  #announcementsOf(connections: Iterable<InboundConnection>): Announcement[] {
    const open = [...connections].filter(({ isOpen }) => isOpen);
    const all = open.map((connection) => this.#announcementOf(connection));
    return all.filter((announcement) => announcement !== null);
  }

  #announceEach(announcements: readonly Announcement[]): void {
    const bytesMax = Math.min(BYTES_PER_MESSAGE, this.#control?.bytesMax ?? 0);
    for (const some of inMessages(announcements, bytesMax)) this.#announce(some);
  }

  #announce(newest: readonly Announcement[]): void {
    if (this.#tell({ newest }) === false) this.#announceAgain();
  }

  /** The bus may be full although it is up. When it comes up, everything is announced anyway. */
  #announceAgain(): void {
    const { clock, reach } = this.#parts;
    if (reach?.state !== 'up') return;
    this.#timer ??= clock.setTimer(ANNOUNCE_AGAIN_MS, () => {
      this.#timer = null;
      this.#announceAll();
    });
  }

  #tell(message: KeyMessage): boolean | undefined {
    return this.#control?.tell(message);
  }
}

/** Splits announcements into those of one message each. */
function* inMessages(
  announcements: readonly Announcement[],
  bytesMax: number,
): Iterable<readonly Announcement[]> {
  let some: Announcement[] = [];
  let bytes = ENVELOPE.length;
  for (const announcement of announcements) {
    // With the comma.
    const added = Buffer.byteLength(JSON.stringify(announcement)) + 1;
    bytes += added;
    if ((some.length === ANNOUNCED_PER_MESSAGE || bytes > bytesMax) && some.length > 0) {
      yield some;
      some = [];
      bytes = ENVELOPE.length + added;
    }
    some.push(announcement);
  }
  if (some.length > 0) yield some;
}

/** @throws TypeError or MooringError if another program has published nonsense */
function checkedKeyMessage(message: unknown): {
  readonly close?: { readonly key: string } & CloseFrame;
  readonly newest?: readonly Announcement[];
} {
  const { close, newest } = Object(message) as { close?: unknown; newest?: unknown };
  if (close !== undefined) {
    const { key, code, reason } = Object(close) as Record<string, unknown>;
    if (typeof key !== 'string') throw new TypeError('close.key must be a string');
    return { close: { key, ...checkedCloseFrame(code, reason) } };
  }
  if (!Array.isArray(newest) || !newest.every(isAnnouncement))
    throw new TypeError('a message about keys has close or newest');
  return { newest };
}

function isAnnouncement(value: unknown): value is Announcement {
  if (!Array.isArray(value)) return false;
  const [key, stamp, id] = value as unknown[];
  return typeof key === 'string' && Number.isSafeInteger(stamp) && typeof id === 'string';
}
