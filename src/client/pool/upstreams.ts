import type { Route } from '../reconnect/route.ts';
import { CircuitBreaker, type CircuitOptions } from './circuit-breaker.ts';

/** One of the peers that a pool dials. */
export class Upstream {
  readonly url: string;
  readonly route: Route;
  readonly circuit: CircuitBreaker;
  /** How many members have a connection to it, or dial it. */
  members = 0;

  constructor(url: string, route: Route, options: Readonly<CircuitOptions>) {
    this.url = url;
    this.route = route;
    this.circuit = new CircuitBreaker(options);
  }

  /** A member dials it. */
  enter(member: object): void {
    this.members += 1;
    this.circuit.dialed(member);
  }

  /** The attempt of a member, or its connection, has ended. */
  leave(): void {
    this.members -= 1;
  }
}

/** The peers of one pool. */
export class Upstreams {
  readonly all: readonly Upstream[];

  constructor(all: readonly Upstream[]) {
    this.all = all;
  }

  /** Whether functions provide a part of each attempt, for example the headers. */
  get areRenewed(): boolean {
    return this.all.some(({ route }) => route.isRenewed);
  }

  /** How long until one of them may be dialed, in milliseconds. */
  waitMs(nowMs: number): number {
    return Math.min(...this.all.map(({ circuit }) => circuit.waitMs(nowMs)));
  }

  /** Chooses the upstream that may be dialed first; among equals, the one with the fewest members. */
  choose(nowMs: number): Upstream {
    const rank = ({ circuit, members }: Upstream) => [circuit.waitMs(nowMs), members] as const;
    return this.all.reduce((best, each) => {
      const [[bestMs, bestMembers], [waitMs, members]] = [rank(best), rank(each)];
      return waitMs < bestMs || (waitMs === bestMs && members < bestMembers) ? each : best;
    });
  }
}
