import type { Platform } from '../../../src/client/client-runtime.ts';
import type { Ending } from '../../../src/client/client-types.ts';
import type { HostSigns } from '../../../src/client/host-signs.ts';
import type { OutboundConnection } from '../../../src/client/outbound-connection.ts';
import type { Retry } from '../../../src/core/close-code.ts';
import type { DialTarget } from '../../../src/transport/transport.ts';
import { Accounts } from '../dialed/accounts.ts';
import { Ledger, numberOf } from '../dialed/line.ts';
import { SeededRandom } from '../seeded-random.ts';
import type { Violation } from '../seeds.ts';
import { SimulatedClock } from '../simulated-clock.ts';
import { Attempt, type Sign } from './attempt.ts';
import { CircuitModel } from './circuit-model.ts';
import {
  chooseMood,
  chooseNumbers,
  choosePoolFate,
  fateBy,
  lateEnd,
  type Mood,
  type PoolNumbers,
} from './pool-plan.ts';
import { PoolSocket, type PoolSocketWatcher } from './pool-socket.ts';

/** One of the peers of a simulated pool. */
export interface SimulatedUpstream {
  readonly url: string;
  readonly circuit: CircuitModel;
  mood: Mood;
}

/** One place of a simulated pool. */
export interface SimulatedMember {
  attempt: Attempt | null;
  /** When its last attempt ended. -1 before the first end. */
  idleSinceMs: number;
}

/** When a drain was requested, and how much time it has. */
export interface DrainPlanned {
  readonly atMs: number;
  /** When the remaining connections are destroyed. Infinite for a stop. */
  readonly expiresAtMs: number;
  /** How many connections had opened and not closed. */
  readonly connected: number;
}

/** All facts of one simulation of a pool, whatever the pool reports. */
export class PoolWorld implements PoolSocketWatcher {
  readonly random: SeededRandom;
  readonly clock: SimulatedClock;
  readonly ledger = new Ledger();
  readonly accounts: Accounts;
  readonly numbers: PoolNumbers;
  readonly upstreams: readonly SimulatedUpstream[];
  readonly members: SimulatedMember[] = [];
  readonly attempts: Attempt[] = [];
  readonly hosts = new Set<HostSigns>();
  /** Whether the application has an `onOpen`. */
  readonly hasOnOpen: boolean;
  /** What the option `retry` returned. */
  readonly decisions = new WeakMap<Ending, Retry>();
  /** The id of the connection on which each message was sent. */
  readonly sentOn = new Map<number, string>();
  drain: DrainPlanned | null = null;
  violation: Violation | null = null;
  /** When the host last lost its network. Waiting members dial rarely then. */
  offlineSinceMs = 0;
  /** How often members keep the process alive. */
  holds = 0;
  /** The member that chooses an upstream now. */
  choosing = 0;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.random.next();
    this.clock = new SimulatedClock(this.random.next);
    this.accounts = new Accounts(this.random, this.ledger, (rule, problem) =>
      this.broken(rule, problem),
    );
    this.numbers = chooseNumbers(this.random);
    const { circuit } = this.numbers;
    this.upstreams = Array.from({ length: this.random.integer(1, 4) }, (_, index) => ({
      url: `ws://u${index}.test/`,
      circuit: new CircuitModel(circuit),
      mood: chooseMood(this.random),
    }));
    this.hasOnOpen = this.random.chance(0.5);
  }

  get nowMs(): number {
    return this.clock.now();
  }

  broken(rule: string, problem: string): void {
    this.violation ??= { rule, problem: `${problem} at ${this.nowMs} ms` };
  }

  attemptOf({ id }: { readonly id: string }): Attempt | undefined {
    return this.attempts.find(({ connection }) => connection.id === id);
  }

  note(id: { readonly id: string }, sign: Sign): void {
    this.attemptOf(id)?.note(sign, this.nowMs);
  }

  /** A drain is requested now, in one way or another. Only the first time counts. */
  drains(withinMs: number): void {
    if (this.drain !== null) return;
    const { nowMs } = this;
    const connected = this.attempts.filter(
      ({ openedMs, connection }) => openedMs !== null && !connection.isOver,
    ).length;
    this.drain = { atMs: nowMs, expiresAtMs: nowMs + withinMs, connected };
    const areLate = this.random.chance(0.5);
    for (const attempt of this.attempts) {
      attempt.note('drained', nowMs);
      if (areLate) Object.assign(attempt.fate, lateEnd(this.random, this.numbers));
    }
  }

  /** The members that have a connection to an upstream, or dial it. */
  membersOf(url: string): number {
    return this.members.filter(({ attempt }) => attempt?.isThere && attempt.url === url).length;
  }

  /** The platform of one member. It makes sockets, and records who has them. */
  platform(index: number): Platform {
    const parts = { clock: this.clock, random: this.random, ledger: this.ledger };
    return {
      warnings: null,
      makeTransport: (connection) => {
        const attempt = this.#begin(index, connection as OutboundConnection);
        attempt.socket = new PoolSocket(parts, attempt, this);
        return attempt.socket;
      },
      holdProcess: () => {
        this.holds += 1;
        return () => {
          this.holds -= 1;
        };
      },
      whenAborted: () => () => {},
      watchHost: (observer) => {
        this.hosts.add(observer);
        return () => void this.hosts.delete(observer);
      },
    };
  }

  #begin(index: number, connection: OutboundConnection): Attempt {
    const attempt = new Attempt({
      number: this.attempts.length + 1,
      member: index,
      startedMs: this.nowMs,
      connection,
      fate: choosePoolFate(this.random),
    });
    attempt.isWelcomed = !this.hasOnOpen;
    const before = this.members[index]?.attempt ?? null;
    if (before !== null && before.ending === null) this.broken('one-attempt-each', `${index}`);
    if (this.drain !== null) this.broken('dials-no-more', `${index}`);
    this.attempts.push(attempt);
    const member = this.members[index];
    if (member !== undefined) member.attempt = attempt;
    return attempt;
  }

  /** A member goes to an upstream. Checked before its code learns of that. */
  chosen(index: number, url: string): void {
    this.choosing = index;
    const { nowMs } = this;
    const attempt = this.members[index]?.attempt;
    const upstream = this.upstreams.find((each) => each.url === url);
    if (attempt == null || upstream === undefined) {
      this.broken('goes-somewhere', `${index} to ${url}`);
      return;
    }
    const better = this.upstreams.find(
      (each) => each.circuit.isFree(nowMs) && this.membersOf(each.url) < this.membersOf(url),
    );
    if (better !== undefined) this.broken('goes-where-the-fewest-are', `${url}, not ${better.url}`);
    attempt.url = url;
    // All members begin together, so one may open a circuit while the others are on their way there.
    const isUnderWay = nowMs === 0 && upstream.circuit.states(nowMs).includes('open');
    const problem = isUnderWay ? null : upstream.circuit.chosen(attempt, nowMs);
    if (problem !== null) this.broken('open-circuit-is-left-alone', `${url}: ${problem}`);
  }

  opened(attempt: Attempt): void {
    this.upstreams.find(({ url }) => url === attempt.url)?.circuit.opened();
  }

  wrote(attempt: Attempt, payload: string | Uint8Array): void {
    const message = numberOf(payload);
    const id = message === null ? undefined : this.sentOn.get(message);
    if (id !== undefined && id !== attempt.connection.id)
      this.broken('leaves-where-it-was-sent', `${message} on ${attempt.connection.id}, not ${id}`);
  }

  dialed(attempt: Attempt, { url }: DialTarget): void {
    if (attempt.url !== url) this.broken('goes-where-it-chose', `${url}, not ${attempt.url}`);
    attempt.dialedMs = this.nowMs;
    const mood = this.upstreams.find((each) => each.url === url)?.mood ?? 'any';
    Object.assign(attempt.fate, fateBy(mood, this.random));
  }
}
