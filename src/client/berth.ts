import type { Circuit } from './circuit.ts';
import type { Route } from './target.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/** What the berths of a pool share. */
export interface BerthParts {
  readonly upstreams: Upstreams;
  /** The route to one of them. */
  readonly routeTo: (url: string) => Route;
  /** Whether each attempt has headers of its own. */
  readonly isRenewed: boolean;
  /** The time, in milliseconds. */
  readonly now: () => number;
}

/** Where one member of a pool lies: the upstream that it dials, or has a connection to. */
export class Berth implements Route {
  readonly #parts: BerthParts;
  #upstream: Upstream | null = null;

  constructor(parts: BerthParts) {
    this.#parts = parts;
  }

  get isRenewed(): boolean {
    return this.#parts.isRenewed;
  }

  /** Chooses the upstream of the attempt that begins now. */
  target(): ReturnType<Route['target']> {
    const { upstreams, routeTo, now } = this.#parts;
    this.#upstream = upstreams.choose(now());
    this.#upstream.enter(this);
    return routeTo(this.#upstream.url).target();
  }

  /** The attempt, or its connection, has come to its end. */
  leave(): void {
    this.#upstream?.leave();
    this.#upstream = null;
  }

  get circuit(): Circuit | undefined {
    return this.#upstream?.circuit;
  }

  /** How long until any upstream may be dialed, in milliseconds. */
  get waitMs(): number {
    return this.#parts.upstreams.waitMs(this.#parts.now());
  }
}
