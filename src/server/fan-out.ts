import type { Notifications } from '../chart/notifications.ts';
import type { FrameBatch, WriteBatcher } from '../connection/write-batcher.ts';
import { runAll, runEach } from '../core/guard.ts';
import type { InboundConnection, Sharing } from './inbound-connection.ts';
import type { Publication } from './publication.ts';
import { Combination, type FramePair, SharedFrames } from './shared-frames.ts';

/** The members that a publication reaches: those of a topic, or all open connections. */
export interface Audience extends Iterable<InboundConnection> {
  readonly size: number;
  has(connection: InboundConnection): boolean;
  /** How many members have left so far. While this number stays the same, `has` need not be called. */
  readonly removals: number;
  /** The frames that wait for the end of the turn. Only {@link FanOut} sets it. */
  shared: SharedFrames | null;
}

/** The members that a flush has still to visit, and what each gets. */
interface Round {
  readonly members: Iterator<InboundConnection>;
  batchFor(connection: InboundConnection): FrameBatch;
}

/** What a fan-out needs of its supervisor. */
export interface FanOutParts {
  readonly notifications: Notifications;
  readonly batcher: WriteBatcher;
  /** `limits.outboxHighBytes`. */
  readonly highBytes: number;
  /** All audiences that a connection belongs to. */
  audiencesOf(connection: InboundConnection): Iterable<Audience>;
}

/**
 * Writes publications to the members of audiences, for one supervisor.
 *
 * What a turn of the event loop publishes to an audience is collected once, and each member is visited once, at the end of
 * the turn. That is correct for members that have nothing else to get. All others are *apart*: members with frames of
 * their own, or with a backlog, and members that joined or opened in mid-turn. A publication visits these at once, and
 * their outbox decides whether it has room.
 *
 * ```
 * publish ─▶ frames of the audience ──(end of turn)──▶ one write for each member that is not apart
 *        └─▶ outbox of each member that is apart ──▶ its own batch, or its overflow policy
 * ```
 *
 * - A member gets its shared frames into its outbox before it gets anything of its own, and before it leaves ({@link claim}).
 *   So its frames leave in the order in which they were published and sent.
 * - No user code runs between the first visit and the last. So all members get publications that user code makes in answer
 *   in the same order.
 * - The frames that wait have at most `limits.outboxHighBytes` in sum.
 */
export class FanOut implements Sharing {
  readonly #parts: FanOutParts;
  /** The audiences with shared frames. */
  #pending: Audience[] = [];
  /** The root of all combinations of audiences since the last publication. */
  #combinations = new Combination();
  /** Bytes of all shared frames. */
  #bytes = 0;
  /** How many frames were shared so far. */
  #number = 0;
  /** The members that are apart, and the number of flushes when they last had to be. */
  readonly #apart = new Map<InboundConnection, number>();
  #flushes = 0;
  /** The flush in progress. */
  #round: Round | null = null;
  /** The member that it writes to. */
  #current: InboundConnection | null = null;

  constructor(parts: FanOutParts) {
    this.#parts = parts;
    parts.batcher.beforeFlush = () => this.#flush();
  }

  /** Gives a publication to its audience, and counts what becomes of it. */
  publish(publication: Publication, audience: Audience): void {
    const { notifications, highBytes } = this.#parts;
    const { accepts } = publication;
    const isShared = accepts === null && lengthOf(publication) <= highBytes && this.#round === null;
    notifications.during(() => {
      if (isShared) this.#share(publication, audience);
      else this.#publishToEach(publication, audience);
    });
  }

  #share(publication: Publication, audience: Audience): void {
    const { except } = publication;
    if (this.#bytes + lengthOf(publication) > this.#parts.highBytes) this.#flush();
    for (const connection of except) if (audience.has(connection)) this.setApart(connection);
    const isMeant = isIn(audience);
    let sharing = audience.size;
    try {
      runEach(this.#apartIn(audience), (connection) => {
        sharing -= 1;
        if (except.has(connection)) return;
        if (this.#rejoins(connection)) sharing += 1;
        else if (isMeant(connection)) write(publication, connection);
      });
    } finally {
      publication.delivered += sharing;
      if (sharing > 0) this.#add(publication, audience);
    }
  }

  #add(publication: Publication, audience: Audience): void {
    const { frame: plain, durable } = publication;
    const frames: FramePair = { plain, headed: durable?.headed ?? plain };
    if (audience.shared === null) {
      audience.shared = new SharedFrames(this.#number, frames);
      this.#pending.push(audience);
      this.#parts.batcher.endLater();
    } else audience.shared.add(this.#number, frames);
    this.#combinations = new Combination();
    this.#number += 1;
    this.#bytes += lengthOf(publication);
  }

  /** The members of an audience that are apart, in time linear in the smaller number. */
  #apartIn(audience: Audience): InboundConnection[] {
    if (this.#apart.size === 0) return [];
    return this.#apart.size < audience.size
      ? [...this.#apart.keys()].filter((connection) => audience.has(connection))
      : [...audience].filter((connection) => this.#apart.has(connection));
  }

  /** Lets a member share again if nothing of its own waits, and it was not apart for any of the frames that wait now. */
  #rejoins(connection: InboundConnection): boolean {
    const isLate = this.#pending.length > 0 && this.#apart.get(connection) === this.#flushes;
    this.#apart.set(connection, this.#flushes);
    return !isLate && connection.side.isIdle && this.#apart.delete(connection);
  }

  /**
   * Asks for each member whether it gets the publication, then writes to those that do.
   *
   * `accepts` may join, leave or close any connection: a new member does not get the frame, a member that has left or ended
   * does not get it either, and no member gets it twice.
   */
  #publishToEach(publication: Publication, audience: Audience): void {
    const { accepts, except } = publication;
    const isThere = isIn(audience);
    // A copy, because a write may end a connection, which then leaves the audience.
    const members = [...audience].filter(
      (connection) =>
        isThere(connection) && !except.has(connection) && (accepts?.(connection) ?? true),
    );
    runEach(members, (connection) => {
      if (isThere(connection)) write(publication, connection);
    });
  }

  setApart(connection: InboundConnection): void {
    this.claim(connection);
    this.#apart.set(connection, this.#flushes);
  }

  claim(connection: InboundConnection): void {
    if (this.#pending.length === 0 || this.#apart.has(connection)) return;
    if (this.#round === null) this.#claimShares(connection);
    // User code acts in mid-flush only from within a write: of a wrapped socket, or of a stream that stands in for one.
    else if (connection !== this.#current) this.#visitRest((one, batch) => this.#adopt(one, batch));
  }

  #claimShares(connection: InboundConnection): void {
    const shares = this.#sharesOf(connection);
    if (shares.length === 0) return;
    const combination = shares.reduce((before, share) => before.with(share), this.#combinations);
    this.#adopt(connection, combination.batchFor(connection.side.isMooring));
  }

  #adopt(connection: InboundConnection, batch: FrameBatch): void {
    this.#apart.set(connection, this.#flushes);
    connection.side.adopt(batch);
  }

  sharedBytesOf(connection: InboundConnection): number {
    if (this.#round !== null || this.#apart.has(connection)) return 0;
    const { isMooring } = connection.side;
    return this.#sharesOf(connection).reduce(
      (sum, share) => sum + share.batchFor(isMooring).bytes,
      0,
    );
  }

  forget(connection: InboundConnection): void {
    this.#apart.delete(connection);
  }

  /** In time linear in the smaller number: that of its audiences, or of the audiences with shared frames. */
  #sharesOf(connection: InboundConnection): SharedFrames[] {
    const topics = connection.side.topics?.size ?? 0;
    const audiences =
      topics < this.#pending.length ? this.#parts.audiencesOf(connection) : this.#pending;
    const shares: SharedFrames[] = [];
    for (const audience of audiences) {
      if (audience.shared !== null && audience.has(connection)) shares.push(audience.shared);
    }
    return shares;
  }

  /** Writes the shared frames of all audiences. */
  #flush(): void {
    if (this.#pending.length === 0) return;
    this.#parts.notifications.during(() => {
      this.#round = this.#newRound();
      try {
        this.#visitRest((connection, batch) => this.#write(connection, batch));
      } finally {
        this.#finishRound();
      }
    });
  }

  #newRound(): Round {
    const [only] = this.#pending;
    if (this.#pending.length > 1 || !only?.shared)
      return combined(this.#pending, this.#combinations);
    const { shared } = only;
    const plain = shared.batchFor(false);
    const batchFor = shared.hasHeadings
      ? ({ side }: InboundConnection) => shared.batchFor(side.isMooring)
      : () => plain;
    return { members: only[Symbol.iterator](), batchFor };
  }

  /** Visits the members that the flush in progress has not reached yet. */
  #visitRest(visit: (connection: InboundConnection, batch: FrameBatch) => void): void {
    const round = this.#round;
    if (round === null) return;
    runAll(
      () => round.members.next().value as InboundConnection | undefined,
      (connection) => {
        // Mostly nobody is apart, and a look into an empty map costs as much as the rest of a visit.
        if (this.#apart.size === 0 || !this.#apart.has(connection))
          visit(connection, round.batchFor(connection));
      },
    );
  }

  #write(connection: InboundConnection, batch: FrameBatch): void {
    this.#current = connection;
    const haveLeft = connection.side.writeShared(batch);
    // A write that fails ends the connection, which must not be held any longer.
    if (!haveLeft && connection.isOpen) this.#apart.set(connection, this.#flushes);
  }

  #finishRound(): void {
    this.#round = null;
    this.#current = null;
    for (const audience of this.#pending) audience.shared = null;
    this.#pending = [];
    this.#combinations = new Combination();
    this.#bytes = 0;
    // From here on, a member that was set apart before has got none of the frames that wait.
    this.#flushes += 1;
  }
}

function combined(audiences: readonly Audience[], root: Combination): Round {
  const combinations = new Map<InboundConnection, Combination>();
  for (const audience of audiences) {
    const { shared } = audience;
    if (shared === null) continue;
    for (const connection of audience)
      combinations.set(connection, (combinations.get(connection) ?? root).with(shared));
  }
  return {
    members: combinations.keys(),
    batchFor: (connection) =>
      (combinations.get(connection) ?? root).batchFor(connection.side.isMooring),
  };
}

/** Makes a function that tells whether one of its present members is still open and a member. */
function isIn(audience: Audience): (connection: InboundConnection) => boolean {
  const { removals } = audience;
  return (connection) =>
    connection.isOpen && (audience.removals === removals || audience.has(connection));
}

/** The bytes of a publication with a heading, if it has one. */
function lengthOf({ durable, frame }: Publication): number {
  return durable?.headed.length ?? frame.length;
}

function write(publication: Publication, connection: InboundConnection): void {
  const { durable } = publication;
  const { outbox, isMooring } = connection.side;
  const frame = durable !== null && isMooring ? durable.headed : publication.frame;
  if (outbox !== null && outbox.publish(frame) !== 'refused') publication.delivered += 1;
  else overflow(publication, connection);
}

/** Applies the policy of the publication to a member that cannot take it. A durable topic makes up for it later. */
function overflow(publication: Publication, connection: InboundConnection): void {
  if (publication.durable !== null) {
    if (connection.isOpen) publication.durable.fellBehind(connection);
    return;
  }
  if (publication.overflow === 'latest' && isConflated(publication, connection)) return;
  publication.dropped += 1;
  connection.side.dropped += 1;
  if (publication.overflow === 'close' && connection.side.outbox?.isCongested)
    connection.end('slow-consumer');
}

function isConflated(publication: Publication, connection: InboundConnection): boolean {
  const { outbox } = connection.side;
  if (outbox === null) return false;
  const { isConflated, replaced } = outbox.keep(publication);
  if (isConflated) publication.kept += 1;
  if (replaced) {
    publication.replaced += 1;
    connection.side.dropped += 1;
  }
  return isConflated;
}
