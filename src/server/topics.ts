import { Subject } from 'rxjs';
import type { Port } from '../connection/port.ts';
import { SupervisorError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';

/** One frame for an audience. */
export interface Publication {
  readonly frame: Frame;
  /** Whether a member is to get it. */
  readonly accepts: (port: Port) => boolean;
  delivered: number;
  dropped: number;
}

/** The members of one topic and the pipeline that feeds them. */
class Audience {
  readonly members = new Set<Port>();
  readonly publications$ = new Subject<Publication>();

  constructor() {
    const isMember = (port: Port) => this.members.has(port);
    this.publications$.subscribe((publication) => fanOut(publication, this.members, isMember));
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
    if (audience.members.size > 0) return;
    audience.publications$.complete();
    this.#audiences.delete(name);
  }
}

/**
 * Writes one frame to every member that is open at the moment of its turn.
 *
 * Works on a copy of the membership: `accepts` and the listeners of `connection.congested` are user code and
 * may join, leave or close anything while this goes on. Whoever joins meanwhile missed it; whoever has left
 * or is no longer open does not get it; nobody gets it twice.
 */
export function fanOut(
  publication: Publication,
  audience: Iterable<Port>,
  isMember: (port: Port) => boolean,
): void {
  for (const port of [...audience]) {
    const isReachable = () => port.isOpen && isMember(port);
    if (!isReachable() || !publication.accepts(port) || !isReachable()) continue;
    if (port.write(publication.frame) === 'refused') {
      port.dropped += 1;
      publication.dropped += 1;
    } else {
      publication.delivered += 1;
    }
  }
}

/** A publication that nobody has got yet. */
export function publicationOf(frame: Frame, accepts: (port: Port) => boolean): Publication {
  return { frame, accepts, delivered: 0, dropped: 0 };
}

/** @throws SupervisorError `invalid-topic` */
export function checkTopicName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length > 0) return;
  throw new SupervisorError('invalid-topic', 'a topic name must be a non-empty string');
}
