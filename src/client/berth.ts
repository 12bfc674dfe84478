import type { Circuit } from './circuit.ts';
import type { TargetSource } from './target.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/** What the berths of a pool share. */
export interface BerthParts {
  readonly upstreams: Upstreams;
  readonly targetOf: (url: string) => ReturnType<TargetSource>;
  /** The time, in milliseconds. */
  readonly now: () => number;
}

/** Where one member of a pool lies: the upstream that it dials, or has a connection to. */
export class Berth {
  readonly #parts: BerthParts;
  #upstream: Upstream | null = null;

  constructor(parts: BerthParts) {
    this.#parts = parts;
  }

  /** Chooses the upstream of the attempt that begins now. */
  target(): ReturnType<TargetSource> {
    const { upstreams, targetOf, now } = this.#parts;
    this.#upstream = upstreams.choose(now());
    this.#upstream.enter();
    return targetOf(this.#upstream.url);
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
