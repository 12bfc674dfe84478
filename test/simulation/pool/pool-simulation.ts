import { getEventListeners } from 'node:events';
import { type ArrowCount, countsOf } from '../../../src/chart/chart-counts.ts';
import { poolTable } from '../../../src/chart/tables/pool.ts';
import { type VirtualPool, virtualPool } from '../../support/virtual-pool.ts';
import { causeOf } from '../dialed/accounts.ts';
import type { SeedResult } from '../seeds.ts';
import { EndingChecks } from './endings.ts';
import { PoolApplication } from './pool-application.ts';
import { chooseWatch } from './pool-plan.ts';
import { PoolRules } from './pool-rules.ts';
import { PoolWorld } from './pool-world.ts';

/** The result of one simulated pool. */
export interface PoolResult extends SeedResult {
  readonly attempts: number;
  readonly accepted: number;
  readonly arrows: readonly ArrowCount[];
  readonly causes: ReadonlySet<string>;
}

/** How long everything that a pool leaves behind may take, in milliseconds. */
const AFTERMATH_MS = 600_000;

/** Runs one pool from its creation to its end, on virtual time, over sockets that break. */
export async function simulatePool(seed: number): Promise<PoolResult> {
  return new PoolSimulation(seed).run();
}

class PoolSimulation {
  readonly #seed: number;
  readonly #world: PoolWorld;
  readonly #application: PoolApplication;
  readonly #pool: VirtualPool;
  readonly #rules: PoolRules;
  readonly #endings: EndingChecks;
  readonly #completed: string[] = [];

  constructor(seed: number) {
    this.#seed = seed;
    const world = new PoolWorld(seed);
    const { random, clock, numbers, upstreams } = world;
    this.#world = world;
    this.#application = new PoolApplication(world);
    const watch = chooseWatch(random);
    const { heartbeat = {}, silentMs = Number.POSITIVE_INFINITY } = watch;
    // A heartbeat of the application finds out by itself.
    const graceMs = heartbeat.message === undefined ? (heartbeat.graceMs ?? 0) : 0;
    this.#endings = new EndingChecks(world, { ...numbers.timeouts, silentMs, graceMs });
    const options = { ...numbers, ...watch, clock, random: random.next };
    this.#pool = virtualPool(
      upstreams.map(({ url }) => url),
      { ...options, ...this.#application.options, clock },
      {
        platform: (index) => {
          world.members[index] = { attempt: null, idleSinceMs: -1 };
          return world.platform(index);
        },
        made: (index, member) => {
          member.streams.endings.observable.subscribe((ending) =>
            this.#endings.ended(index, ending),
          );
          member.streams.statuses.observable.subscribe((status) =>
            this.#endings.memberMoved(index, status),
          );
        },
        chosen: (index, url) => world.chosen(index, url),
      },
    );
    this.#rules = new PoolRules(world, this.#pool);
    this.#application.begin(this.#pool, this.#rules);
    this.#listen();
    this.#plan();
  }

  #listen(): void {
    const { handle } = this.#pool;
    const complete = () => this.#completed.push('');
    handle.endings$.subscribe({
      next: (ending) => {
        this.#endings.passedOn(ending);
        this.#maybeAct();
      },
      complete,
    });
    handle.status$.subscribe({
      next: (status) => {
        this.#rules.emitted(status);
        this.#maybeAct();
      },
      complete,
    });
    handle.events$.subscribe({
      next: (event) => {
        this.#world.accounts.take(event);
        this.#maybeAct();
      },
      complete,
    });
    handle.messages$.subscribe({ complete });
  }

  /** A subscriber acts, too. */
  #maybeAct(): void {
    if (this.#world.random.chance(0.03)) this.#application.act(true);
  }

  #plan(): void {
    const { random, clock } = this.#world;
    const lifeMs = random.integer(10, random.pick([200, 20_000, 20_000, 20_000]));
    for (let left = random.integer(0, 60); left > 0; left -= 1)
      clock.arriveAt(random.integer(0, lifeMs), () => this.#application.act());
    clock.arriveAt(lifeMs, () => this.#application.drain());
  }

  async run(): Promise<PoolResult> {
    const world = this.#world;
    while (world.violation === null && this.#step()) {
      await settle();
      this.#rules.check();
    }
    if (world.violation === null) this.#checkEnd();
    return {
      seed: this.#seed,
      violation: world.violation,
      attempts: world.attempts.length,
      accepted: world.accounts.accepted.length,
      arrows: countsOf(this.#pool.pool.charts.chartOf(poolTable)).arrows,
      causes: new Set(this.#endings.reported.map(causeOf)),
    };
  }

  #step(): boolean {
    try {
      return this.#world.clock.step(AFTERMATH_MS);
    } catch (thrown) {
      const problem = (thrown as Error).stack ?? String(thrown);
      this.#world.broken('nothing-reaches-the-process', problem);
      return false;
    }
  }

  /** What must hold after the end of a pool. */
  #checkEnd(): void {
    const world = this.#world;
    const { state } = this.#pool.handle.status;
    if (world.drain === null || state !== 'stopped') world.broken('stops', state);
    const { reported, arePassedOn } = this.#endings;
    if (reported.length !== world.attempts.length || !arePassedOn)
      world.broken('one-ending-each', `${reported.length} of ${world.attempts.length}`);
    if (this.#completed.length !== 4) world.broken('completes', `${this.#completed.length}`);
    world.accounts.check();
    this.#checkReports();
    this.#checkLeft();
  }

  /** All drains resolve with the report of the first. */
  #checkReports(): void {
    const { drain } = this.#world;
    const [first] = this.#application.reports;
    if (this.#application.reports.length !== this.#application.drains)
      this.#world.broken('drain-resolves', `${this.#application.reports.length} times`);
    if (drain === null || first === undefined) return;
    const { closed, forced, tookMs } = first;
    const isInTime = drain.atMs + tookMs < drain.expiresAtMs;
    const isTrue = closed + forced === drain.connected && !(isInTime && forced > 0);
    const areSame = this.#application.reports.every((report) => report === first);
    if (!isTrue || !areSame)
      this.#world.broken('drain-tells-the-truth', `${closed} + ${forced} of ${drain.connected}`);
  }

  #checkLeft(): void {
    const { attempts, clock, hosts, holds } = this.#world;
    const { wheel } = this.#pool.runtime;
    const { signal } = this.#application.abort;
    const left = {
      deadlines: wheel.size,
      listeners: wheel.whenWoken.size + hosts.size,
      timers: clock.timersPending,
      holds,
      signals: getEventListeners(signal, 'abort').length,
      sockets: attempts.filter(({ socket }) => socket?.isLive).length,
      kept: attempts.filter(({ socket }) => socket?.isReleased === false).length,
    };
    const problem = Object.entries(left).filter(([, count]) => count !== 0);
    if (problem.length > 0) this.#world.broken('nothing-is-left', problem.join('; '));
  }
}

/** Lets settled promises call back. */
async function settle(): Promise<void> {
  for (let turns = 6; turns > 0; turns -= 1) await null;
}
