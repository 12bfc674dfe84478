import { placeOf } from '../../bus/place.ts';
import {
  CHECKS_PER_RETENTION,
  TopicLog,
  type TopicLogOwner,
  type TopicLogParts,
} from '../../bus/topic-log.ts';
import type { Entry, Page, Place } from '../../core/bus-log.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import { everybody, publication, type Selection } from '../publication.ts';
import type { TopicAudience } from '../topics.ts';
import { type EntryFrames, offFrame, stillFrame } from './entry-frames.ts';
import { type FollowedTopic, Follower, type MissedCause } from './follower.ts';

/** How many topics a client may have left without being told. */
const UNTOLD_MAX = 2_000;

/** What a durable topic needs of the topics of its supervisor. */
export interface DurableTopicHost {
  readonly logParts: TopicLogParts;
  readonly frames: EntryFrames;
  /** Lets a follower read, when it is its turn. */
  unread(follower: Follower): void;
  /** Lets a follower be sent more, in a later turn. */
  ready(follower: Follower): void;
  /** Lets a follower ask again when the bus may answer. */
  stalled(follower: Follower): void;
  /** Emits a kept message to the listeners of a topic. */
  announce(audience: TopicAudience, entry: Entry): void;
  /** The history of a topic with that many members here is not what it was. */
  wasReset(topic: string, members: number): void;
  /** Nobody needs the topic any more. */
  closed(topic: DurableTopic): void;
  /** The log of a topic has crashed, and must begin anew. */
  crashed(topic: DurableTopic, error: Error): void;
  /** Ends a member that cannot be told that it has missed messages. */
  end(connection: InboundConnection): void;
}

/**
 * A durable topic with members in this process. Members that keep up are *level*: they share the frames of each kept message.
 * All others have a {@link Follower}, and are left out of the fan-out until they are level.
 */
export class DurableTopic implements TopicLogOwner, FollowedTopic {
  readonly name: string;
  #log: TopicLog;
  readonly #host: DurableTopicHost;
  #audience: TopicAudience;
  readonly #followers = new Map<InboundConnection, Follower>();
  /** The members with a follower. */
  readonly #behind = new Set<InboundConnection>();
  /** All other members. */
  readonly #level: Selection = { ...everybody, except: this.#behind, isLocal: true };
  /** Where level members are; `null` while the log does not follow the topic. */
  #top: Place | null = null;
  /** The number up to which nothing is missing; the place of level members may be before it. */
  #upTo = 0;
  /** When level members were last told where they are, in milliseconds of the clock. */
  #toldAtMs: number;
  #interruption: MissedCause | null = null;

  constructor(audience: TopicAudience, host: DurableTopicHost) {
    this.name = audience.name;
    this.#audience = audience;
    this.#host = host;
    this.#toldAtMs = host.logParts.clock.now();
    this.#log = this.#begin();
  }

  #begin(): TopicLog {
    return new TopicLog(this.name, this.#host.logParts, this);
  }

  get log(): TopicLog {
    return this.#log;
  }

  /** The members and listeners of the topic, which are another object after nobody needed it for a while. */
  servedBy(audience: TopicAudience): void {
    this.#audience = audience;
    this.#log.needed();
  }

  /** Begins anew after a crash. */
  restart(): void {
    if (this.#audience.isNeeded) this.#log = this.#begin();
    else this.#host.closed(this);
  }

  joined(connection: InboundConnection): void {
    const { isMooring } = connection.side;
    // A plain peer gets what comes next, and needs no follower for that.
    if (isMooring || this.#top === null)
      this.#follow(new Follower(connection, this, this.#top, isMooring ? 'first' : null));
  }

  /** A member leaves the topic, and goes on with its connection. */
  leaves(connection: InboundConnection): void {
    const { side } = connection;
    if (!side.isMooring) return;
    // If it joins again, it is new.
    side.positions?.take(this.name);
    const result = side.outbox?.publish(offFrame(this.name));
    if (result === 'refused') this.#tellOffLater(connection);
  }

  /** Ends a member that reads nothing, and leaves more topics than a client has positions. */
  #tellOffLater(connection: InboundConnection): void {
    const { side } = connection;
    side.untoldOffs = (side.untoldOffs ?? new Set()).add(this.name);
    if (side.untoldOffs.size > UNTOLD_MAX) this.#host.end(connection);
  }

  /** A member has left, or its connection has ended. */
  left(connection: InboundConnection): void {
    this.#followers.get(connection)?.end();
    this.#followers.delete(connection);
    this.#behind.delete(connection);
    if (this.#followers.size === 0) this.#log.forgetRead();
  }

  followerOf(connection: InboundConnection): Follower | undefined {
    return this.#followers.get(connection);
  }

  #follow(follower: Follower): void {
    this.#followers.set(follower.connection, follower);
    this.#behind.add(follower.connection);
    this.ready(follower);
  }

  // What the log tells.

  following(top: Place): void {
    this.#top = top;
    const cause = this.#interruption;
    this.#interruption = null;
    if (cause !== null) this.#moveMembers(top, cause);
    for (const follower of this.#followers.values()) {
      follower.begin(top);
      this.ready(follower);
    }
  }

  /** Moves the members to where the topic goes on. Those that were away are judged by their own position. */
  #moveMembers(top: Place, cause: MissedCause): void {
    const members = [...this.#audience.members];
    if (cause === 'reset') this.#host.wasReset(this.name, members.length);
    for (const connection of members) {
      const follower = this.#followers.get(connection);
      if (!connection.side.isMooring) this.#host.end(connection);
      else if (follower === undefined) this.#follow(new Follower(connection, this, top, cause));
      else if (!follower.isResuming) follower.moveTo(top, cause);
    }
  }

  arrived(entry: Entry): void {
    if (this.#audience.members.size > 0) this.#deliver(entry);
    this.#top = placeOf(entry);
    this.#toldAtMs = this.#host.logParts.clock.now();
    if (this.#audience.isObserved) this.#host.announce(this.#audience, entry);
    for (const follower of this.#followers.values()) this.#look(follower, entry);
  }

  #deliver(entry: Entry): void {
    const { plain, headed } = this.frames.of(this.name, entry);
    const durable = { headed, fellBehind: this.#fellBehind };
    const policy = { overflow: 'drop-newest', topic: this.name, key: '', durable } as const;
    this.#audience.deliver(publication(undefined, plain, this.#level, policy));
  }

  /** A follower may have got this message before the topic did: it came from a process that was ahead. */
  #look(follower: Follower, { log, offset }: Entry): void {
    const { place } = follower;
    if (place?.log !== log || place.offset > offset) return;
    if (place.offset === offset) this.reached(follower);
    else if (follower.isWaiting) this.ready(follower);
  }

  interrupted(cause: MissedCause): void {
    this.#top = null;
    this.#upTo = 0;
    // A reset says more than an expiry.
    if (this.#interruption !== 'reset') this.#interruption = cause;
  }

  closed(error: Error | null): void {
    if (error === null) this.#host.closed(this);
    else {
      this.interrupted('reset');
      this.#host.crashed(this, error);
    }
  }

  idle(place: Place): void {
    this.#upTo = place.offset;
    for (const follower of this.#followers.values()) this.reached(follower);
    this.#keepFresh(place);
  }

  /** Tells level members a place that does not expire as soon as the place of the last message. */
  #keepFresh(place: Place): void {
    const { clock, log } = this.#host.logParts;
    const nowMs = clock.now();
    // With each check, but not with those that follow quickly at the beginning.
    if (nowMs - this.#toldAtMs < log.retention.forMs / (CHECKS_PER_RETENTION + 1)) return;
    this.#toldAtMs = nowMs;
    const frame = stillFrame(this.name, place);
    for (const connection of [...this.#audience.members]) {
      if (connection.side.isMooring && !this.#behind.has(connection))
        connection.side.outbox?.publish(frame);
    }
  }

  readonly #fellBehind = (connection: InboundConnection): void => {
    this.#follow(new Follower(connection, this, this.#top, null));
  };

  // What its followers need.

  get frames(): EntryFrames {
    return this.#host.frames;
  }

  held(place: Place, limit: number): Page | null {
    return this.#log.held(place, limit);
  }

  read(place: Place, limit: number): Promise<Page> {
    return this.#log.read(place, limit);
  }

  unread(follower: Follower): void {
    this.#host.unread(follower);
  }

  ready(follower: Follower): void {
    this.#host.ready(follower);
  }

  stalled(follower: Follower): void {
    this.#host.stalled(follower);
  }

  reached(follower: Follower): void {
    const { connection, place, isSettled } = follower;
    if (place === null || this.#top === null || !isSettled || !this.#has(follower)) return;
    // What it has got is of another past, which the bus must judge.
    if (place.log !== this.#top.log) this.stalled(follower);
    else if (place.offset < this.#top.offset) this.#goOn(follower);
    // If it is ahead of the topic, it waits until the topic is there.
    else if (place.offset <= Math.max(this.#top.offset, this.#upTo)) this.left(connection);
  }

  /** If what must be there does not come, it waits for a while. */
  #goOn(follower: Follower): void {
    if (!follower.isInVain) this.ready(follower);
    else if (this.#top?.tag === '') this.#catchUp(follower, this.#top);
    else this.stalled(follower);
  }

  /** Nothing is kept up to the top, and nothing was missed before it. */
  #catchUp({ connection }: Follower, top: Place): void {
    if (connection.side.isMooring) connection.side.outbox?.publish(stillFrame(this.name, top));
    this.left(connection);
  }

  /** Whether it was not replaced: code of the application may let a member leave and join at any time. */
  #has(follower: Follower): boolean {
    return this.#followers.get(follower.connection) === follower;
  }

  lost(follower: Follower, cause: MissedCause): void {
    const { connection } = follower;
    if (!this.#has(follower)) return;
    if (!connection.side.isMooring) this.#host.end(connection);
    else {
      follower.moveTo(this.#top, cause);
      this.ready(follower);
    }
  }
}
