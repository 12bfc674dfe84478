import type { PoolOptions } from '../../../src/client/pool/pool-options.ts';
import type { PoolDrainReport } from '../../../src/client/pool/pool-types.ts';
import type { Retry } from '../../../src/core/close-code.ts';
import type { DialedConnection } from '../../../src/core/connection.ts';
import type { VirtualPool } from '../../support/virtual-pool.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { chooseMood } from './pool-plan.ts';
import type { PoolRules } from './pool-rules.ts';
import type { PoolWorld } from './pool-world.ts';

/** The application of a simulated pool: its functions among the options, and what it does. */
export class PoolApplication {
  readonly abort = new AbortController();
  /** How often it has drained, and the results. */
  drains = 0;
  readonly reports: PoolDrainReport[] = [];

  readonly #world: PoolWorld;
  readonly #random: SeededRandom;
  #pool: VirtualPool | null = null;
  #rules: PoolRules | null = null;
  /** Connections that it has checked out at any time. */
  readonly #held: DialedConnection[] = [];
  readonly #hasSignal: boolean;

  constructor(world: PoolWorld) {
    this.#world = world;
    this.#random = world.random;
    this.#hasSignal = this.#random.chance(0.4);
    // The pool is created with a signal that has aborted.
    if (this.#hasSignal && this.#random.chance(0.02)) this.#abortNow();
  }

  begin(pool: VirtualPool, rules: PoolRules): void {
    this.#pool = pool;
    this.#rules = rules;
  }

  get options(): PoolOptions {
    const random = this.#random;
    return {
      retry: (ending, suggested) => {
        const others: readonly [Retry, ...Retry[]] = ['now', 'slow', 'never'];
        const decision = random.chance(0.7) ? suggested : random.pick(others);
        this.#world.decisions.set(ending, decision);
        return decision;
      },
      ...(this.#world.hasOnOpen && { onOpen: (connection) => this.#onOpen(connection) }),
      ...(random.chance(0.3) && { onMessage: (connection) => this.#maybeThrow(connection) }),
      ...(random.chance(0.25) && { headers: () => this.#headers() }),
      ...(this.#hasSignal && { signal: this.abort.signal }),
    };
  }

  #maybeThrow(connection: DialedConnection): void {
    if (!this.#random.chance(0.03)) return;
    this.#world.note(connection, 'handler-threw');
    throw new Error('the application threw');
  }

  #onOpen(connection: DialedConnection): unknown {
    const random = this.#random;
    const attempt = this.#world.attemptOf(connection);
    if (random.chance(0.3)) this.#send(connection);
    if (random.chance(0.05)) this.#end(connection);
    this.#maybeThrow(connection);
    const isAsync = random.chance(0.5);
    const settled = () => {
      // Too late: the pool has already ended.
      if (attempt?.connection.isOpen) attempt.isWelcomed = true;
    };
    if (!isAsync) {
      settled();
      return undefined;
    }
    if (random.chance(0.05)) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      this.#world.clock.setTimer(random.integer(0, 1_200), () => {
        if (random.chance(0.1)) {
          this.#world.note(connection, 'handler-threw');
          reject(new Error('not admitted'));
          return;
        }
        settled();
        resolve(undefined);
      });
    });
  }

  /** Headers that take a while, or are unavailable. */
  #headers(): Record<string, string> | Promise<Record<string, string>> {
    const random = this.#random;
    const world = this.#world;
    const attempt = world.members[world.choosing]?.attempt;
    const fails = random.chance(0.1);
    const fail = () => {
      attempt?.note('no-target', world.nowMs);
      return new Error('no headers');
    };
    if (random.chance(0.5)) {
      if (fails) throw fail();
      return {};
    }
    const delayMs = random.pick([0, 10, 300, 3_000]);
    return new Promise((resolve, reject) => {
      world.clock.setTimer(delayMs, () => {
        if (fails) reject(fail());
        else resolve({});
      });
    });
  }

  /** One act of the application, of the host or of an upstream. @param isCalled - whether Mooring calls the application. */
  act(isCalled = false): void {
    const random = this.#random;
    const act = random.integer(0, 19);
    if (act < 7) this.#sendSome();
    else if (act < 9) this.#send(this.#held.length > 0 ? random.pick(some(this.#held)) : undefined);
    else if (act < 12) this.#endOne();
    else if (act < 14) this.#changeMood();
    else if (act < 18) isCalled || this.#signOfHost(act);
    else if (act === 18) this.#subscribe();
    else if (random.chance(0.1)) this.drain();
  }

  #sendSome(): void {
    for (let left = this.#random.pick([1, 1, 3, 20]); left > 0; left -= 1)
      this.#send(this.#checkout());
  }

  #checkout(): DialedConnection | undefined {
    const connection = this.#rules?.checkout();
    if (connection !== undefined) this.#held.push(connection);
    return connection;
  }

  /** Also on a connection that is over. */
  #send(connection: DialedConnection | undefined): void {
    const { accounts, sentOn } = this.#world;
    const message = accounts.message();
    if (connection === undefined) return;
    sentOn.set(message.i, connection.id);
    accounts.hand(message, connection);
  }

  #endOne(): void {
    const random = this.#random;
    const isOld = this.#held.length > 0 && random.chance(0.3);
    const connection = isOld ? random.pick(some(this.#held)) : this.#checkout();
    if (connection !== undefined) this.#end(connection);
  }

  #end(connection: DialedConnection): void {
    const attempt = this.#world.attemptOf(connection);
    const { nowMs } = this.#world;
    if (attempt === undefined) return;
    const wasOver = attempt.connection.isOver;
    const wasOpen = attempt.connection.isOpen;
    const how = this.#random.pick(['close', 'terminate', 'fail'] as const);
    if (how === 'terminate' ? !wasOver : wasOpen) attempt.note(`our-${how}`, nowMs);
    const hasEnded = how === 'fail' ? connection.fail('no good') : connection[how]();
    const should = how === 'terminate' ? !wasOver : wasOpen;
    if (hasEnded !== should) this.#world.broken('ends-once', `${how} says ${hasEnded}`);
  }

  #changeMood(): void {
    const upstream = this.#random.pick(some(this.#world.upstreams));
    upstream.mood = chooseMood(this.#random);
  }

  #signOfHost(act: number): void {
    const { hosts, clock } = this.#world;
    // The machine has slept, and the wheel finds out.
    if (act === 17) clock.setWall(10_000);
    if (act === 14) this.#world.offlineSinceMs = clock.now();
    for (const host of [...hosts]) {
      if (act === 14) host.offline();
      else if (act === 15) host.online();
      else if (act === 16) host.woke();
    }
  }

  #subscribe(): void {
    const subscription = this.#pool?.handle.messages$.subscribe((message) => {
      if (message !== 'news') this.#world.broken('heartbeats-are-hidden', String(message));
      if (this.#random.chance(0.03)) throw new Error('the application threw');
    });
    const ms = this.#random.integer(10, 5_000);
    this.#world.clock.setTimer(ms, () => subscription?.unsubscribe());
  }

  /** Ends the pool in one of the possible ways. A second call must not change the end that has begun. */
  drain(): void {
    const random = this.#random;
    const way = random.integer(0, 5);
    if (this.#pool === null) return;
    const { handle, pool } = this.#pool;
    if (way < 3) {
      // Another time for a second drain would only cause a warning.
      const withinMs =
        this.#world.drain === null ? random.pick([1, 50, 50, 400, 400, 5_000]) : undefined;
      this.#world.drains(withinMs ?? 0);
      this.drains += 1;
      void handle
        .drain(withinMs === undefined ? {} : { withinMs })
        .then((report) => this.reports.push(report));
    } else if (way === 3) {
      this.#world.drains(30_000);
      void handle[Symbol.asyncDispose]();
    } else if (way === 4 && this.#hasSignal) this.#abortNow();
    else {
      this.#world.drains(Number.POSITIVE_INFINITY);
      void pool.stop({ code: 1001, reason: 'away' });
    }
  }

  #abortNow(): void {
    this.#world.drains(Number.POSITIVE_INFINITY);
    this.abort.abort();
  }
}

function some<Item>(items: readonly Item[]): readonly [Item, ...Item[]] {
  return items as readonly [Item, ...Item[]];
}
