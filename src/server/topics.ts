import { Subject } from 'rxjs';
import type { Port } from '../connection/port.ts';
import { SupervisorError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import type { Delivery, Overflow } from './topic.ts';

/** One frame for an audience, and what became of it so far. */
export interface Publication {
  readonly frame: Frame;
  /** Whether a member is to get it; `null` when all are. */
  readonly accepts: ((port: Port) => boolean) | null;
  /** What is done about a member that is congested. */
  readonly overflow: Overflow;
  /** What it is about, for `latest`. */
  readonly key: string;
  delivered: number;
  kept: number;
  /** Older ones that were waiting and that this one takes the place of. */
  replaced: number;
  dropped: number;
}

/** The members of one topic and the pipeline that feeds them. */
class Audience implements Reachable {
  readonly members = new Set<Port>();
  readonly publications$ = new Subject<Publication>();
  departures = 0;
  dropped = 0;

  constructor() {
    this.publications$.subscribe((publication) => {
      fanOut(publication, this);
      this.dropped += publication.dropped + publication.replaced;
    });
  }

  [Symbol.iterator](): Iterator<Port> {
    return this.members.values();
  }

  has(port: Port): boolean {
    return this.members.has(port);
  }
}

/**
 * Who listens to what.
 *
 * Each topic with members has one RxJS pipeline into {@link fanOut}, the one place that writes to many;
 * members are a plain set, so joining, leaving and dying cost the same for ten members or ten thousand. A
 * topic without members holds no memory.
 */
export class Topics {
  readonly #audiences = new Map<string, Audience>();
  readonly #topicsMax: number;

  constructor(topicsMax: number) {
    this.#topicsMax = topicsMax;
  }

  join(port: Port, name: string): boolean {
    checkTopicName(name);
    if (!port.isOpen) return false;
    port.topics ??= new Set();
    if (!port.topics.has(name) && port.topics.size >= this.#topicsMax) return false;
    port.topics.add(name);
    this.#audience(name).members.add(port);
    return true;
  }

  leave(port: Port, name: string): boolean {
    if (!port.isOpen || !port.topics?.delete(name)) return false;
    this.#remove(port, name);
    return true;
  }

  /** Takes a port out of all its topics, in time linear in their number. It still knows their names. */
  leaveAll(port: Port): void {
    for (const name of port.topics ?? []) this.#remove(port, name);
  }

  size(name: string): number {
    return this.#audiences.get(name)?.members.size ?? 0;
  }

  /** Publications that members did not get since the topic has had members. */
  dropped(name: string): number {
    return this.#audiences.get(name)?.dropped ?? 0;
  }

  publish(name: string, publication: Publication): void {
    this.#audiences.get(name)?.publications$.next(publication);
  }

  #audience(name: string): Audience {
    const known = this.#audiences.get(name);
    if (known !== undefined) return known;
    const audience = new Audience();
    this.#audiences.set(name, audience);
    return audience;
  }

  #remove(port: Port, name: string): void {
    const audience = this.#audiences.get(name);
    if (audience === undefined) return;
    audience.members.delete(port);
    audience.departures += 1;
    if (audience.members.size > 0) return;
    audience.publications$.complete();
    this.#audiences.delete(name);
  }
}

/** Everybody who is reached, and whether somebody still belongs to them. */
export interface Reachable extends Iterable<Port> {
  has(port: Port): boolean;
  /** How many have left so far; as long as it stays the same nobody has to be looked up. */
  readonly departures: number;
}

/**
 * Writes one frame to every member that is open at the moment of its turn.
 *
 * Works on a copy of the membership: `accepts` and the listeners of `connection.congested` are user code and
 * may join, leave or close anything while this goes on. Whoever joins meanwhile missed it; whoever has left
 * or is no longer open does not get it; nobody gets it twice.
 */
export function fanOut(publication: Publication, audience: Reachable): void {
  const { frame, accepts } = publication;
  const { departures } = audience;
  const isThere = (port: Port) =>
    port.isOpen && (audience.departures === departures || audience.has(port));
  for (const port of [...audience]) {
    if (!isThere(port) || (accepts !== null && !(accepts(port) && isThere(port)))) continue;
    const outbox = port.outbox;
    if (outbox !== null && outbox.publish(frame) !== 'refused') publication.delivered += 1;
    else overflow(publication, port);
  }
}

/** What its publisher is told. */
export function deliveryOf({ delivered, kept, dropped }: Publication): Delivery {
  return { delivered, kept, dropped };
}

/** Does what the publication's policy says about a member that cannot take it. */
function overflow(publication: Publication, port: Port): void {
  if (publication.overflow === 'latest' && isKept(publication, port)) return;
  publication.dropped += 1;
  port.dropped += 1;
  if (publication.overflow === 'close' && port.outbox?.isCongested) port.end('slow-consumer');
}

function isKept(publication: Publication, port: Port): boolean {
  const result = port.outbox?.keep(publication.key, publication.frame) ?? 'refused';
  if (result === 'refused') return false;
  publication.kept += 1;
  if (result === 'replaced') {
    publication.replaced += 1;
    port.dropped += 1;
  }
  return true;
}

/** @throws SupervisorError `invalid-topic` */
export function checkTopicName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length > 0) return;
  throw new SupervisorError('invalid-topic', 'a topic name must be a non-empty string');
}
