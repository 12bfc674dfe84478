import type { Route } from '../reconnect/target.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/** What the upstream leases of a pool share. */
export interface UpstreamLeaseParts {
  readonly upstreams: Upstreams;
  /** The route to one of them. */
  readonly routeTo: (url: string) => Route;
  /** Whether each attempt has headers of its own. */
  readonly isRenewed: boolean;
  /** The time, in milliseconds. */
  readonly now: () => number;
}

/** Where one member of a pool lies: the upstream that it dials, or has a connection to. */
export class UpstreamLease implements Route {
  readonly #parts: UpstreamLeaseParts;
  #upstream: Upstream | null = null;

  constructor(parts: UpstreamLeaseParts) {
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

  get circuit(): CircuitBreaker | undefined {
    return this.#upstream?.circuit;
  }

  /** How long until any upstream may be dialed, in milliseconds. */
  get waitMs(): number {
    return this.#parts.upstreams.waitMs(this.#parts.now());
  }
}
