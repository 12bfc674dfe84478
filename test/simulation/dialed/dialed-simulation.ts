import { type ArrowCount, countsOf } from '../../../src/chart/chart-counts.ts';
import { ChartSystem } from '../../../src/chart/chart-system.ts';
import { clientTable } from '../../../src/chart/tables/client.ts';
import { connectionTable } from '../../../src/chart/tables/connection.ts';
import type { Platform } from '../../../src/client/client-runtime.ts';
import type { Ending } from '../../../src/client/client-types.ts';
import type { HostSigns } from '../../../src/client/host-signs.ts';
import type { ClientOptions, ResolvedClientOptions } from '../../../src/client/options.ts';
import type { Route } from '../../../src/client/reconnect/route.ts';
import { usual } from '../../../src/client/sender.ts';
import type { SupervisedClient } from '../../../src/client/supervised-client.ts';
import { type SharedRuntime, sharedRuntime } from '../../../src/connection/shared-runtime.ts';
import { type SocketCore, SocketEvents } from '../../../src/connection/socket-events.ts';
import { WebSocketEvents } from '../../../src/connection/web-socket-events.ts';
import type { DialedConnection } from '../../../src/core/connection.ts';
import { BrowserTransport } from '../../../src/transport/browser-transport.ts';
import { resolveClientOptions } from '../../support/client-options.ts';
import { virtualClient } from '../../support/virtual-client.ts';
import { SeededRandom } from '../seeded-random.ts';
import type { SeedResult, Violation } from '../seeds.ts';
import { SimulatedClock } from '../simulated-clock.ts';
import { Accounts, causeOf } from './accounts.ts';
import { DialedRules, type Guidance } from './dialed-rules.ts';
import { DialedSocket } from './dialed-socket.ts';
import { chooseFate, heartbeat } from './fate.ts';
import { Ledger } from './line.ts';
import { pageSocketClass } from './page-socket.ts';

/** The result of one simulated client. */
export interface DialedResult extends SeedResult {
  readonly attempts: number;
  readonly accepted: number;
  readonly arrows: Readonly<Record<'client' | 'connection', readonly ArrowCount[]>>;
  readonly causes: ReadonlySet<string>;
  readonly dropped: ReadonlySet<string>;
}

/** How long a client runs after the last act of its application, in milliseconds. */
const AFTERMATH_MS = 600_000;

/** Runs one client from its creation to its end, on virtual time, over sockets that break. */
export async function simulateDialed(seed: number): Promise<DialedResult> {
  return new DialedSimulation(seed).run();
}

class DialedSimulation {
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #clock: SimulatedClock;
  readonly #ledger = new Ledger();
  readonly #client: SupervisedClient<unknown, unknown>;
  readonly #runtime: SharedRuntime;
  readonly #charts: ChartSystem;
  readonly #rules: DialedRules;
  readonly #isPage: boolean;
  #guidance: Guidance = 'sound';
  #host: HostSigns | null = null;
  readonly #accounts: Accounts;
  readonly #endings: Ending[] = [];
  /** The messages sent through the client, and not through a connection. */
  readonly #own = new Set<number>();
  #violation: Violation | null = null;
  #isStopped = false;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#random.next();
    this.#clock = new SimulatedClock(this.#random.next);
    this.#accounts = new Accounts(this.#random, this.#ledger, (rule, problem) =>
      this.#broken(rule, problem),
    );
    const options = resolveClientOptions(this.#options(), this.#clock);
    this.#runtime = sharedRuntime(options as ResolvedClientOptions);
    this.#charts = new ChartSystem({ actorHost: null, areEager: false }, this.#clock);
    this.#isPage = this.#random.chance(0.4);
    const platform = { ...this.#platform(), charts: this.#charts, route: this.#route() };
    this.#client = virtualClient(options as ResolvedClientOptions, this.#runtime, platform);
    this.#rules = new DialedRules(
      {
        clock: this.#clock,
        options: options as ResolvedClientOptions,
        isPage: this.#isPage,
        broken: (rule, problem) => this.#broken(rule, problem),
      },
      this.#client,
    );
    this.#listen();
    this.#plan();
  }

  /** A function of the application returns the target, and may fail. */
  #route(): Route {
    const address = 'virtual.test';
    const url = `ws://${address}/`;
    const target = { url, subprotocols: [], headers: {}, address, path: '/' };
    return {
      url,
      isRenewed: this.#random.chance(0.3),
      target: () => {
        const isLate = this.#random.chance(0.2);
        if (this.#guidance === 'hangs') return new Promise(() => {});
        if (this.#guidance === 'sound') return isLate ? this.#later(() => target) : target;
        if (isLate) return this.#later(() => Promise.reject(new Error('nowhere')));
        throw new Error('nowhere');
      },
    };
  }

  #later<Value>(settle: () => Value | Promise<Value>): Promise<Value> {
    return new Promise((resolve) => {
      this.#clock.setTimer(this.#random.integer(0, 200), () => resolve(settle()));
    });
  }

  #options(): ClientOptions {
    const random = this.#random;
    const between = (low: number, high: number) => random.integer(low, high);
    const isOnDemand = random.chance(0.3);
    return {
      clock: this.#clock,
      random: random.next,
      backoff: {
        minMs: between(5, 500),
        maxMs: 2_000,
        slowMs: 3_000,
        stableMs: between(50, 5_000),
      },
      restarts: random.chance(0.1) ? { max: 3 } : { max: 100_000 },
      heartbeat: {
        ...{ intervalMs: between(200, 5_000), graceMs: between(200, 3_000) },
        ...(random.chance(0.4) && {
          message: heartbeat.message,
          expects: (payload) => payload === heartbeat.answer,
          always: random.chance(0.5),
        }),
      },
      ...(random.chance(0.2) && { silentMs: between(500, 5_000) }),
      timeouts: { handshakeMs: 2_000, welcomeMs: 1_000, closeMs: 1_000, stalledMs: 3_000 },
      queueMax: random.pick([3, 20, 10_000]),
      queueBytesMax: random.pick([20_000, 16_000_000]),
      queueFlushPerSecond: random.pick([5, 500]),
      limits: random.chance(0.3) ? { outboxHighBytes: 30_000, outboxLowBytes: 10_000 } : {},
      ...(random.chance(0.2) && {
        retry: (_, suggested) => random.pick([suggested, suggested, 'now', 'slow', 'never']),
      }),
      ...(isOnDemand && { dial: 'on-demand', idleMs: between(100, 3_000) }),
      ...(random.chance(0.5) && { onOpen: (connection) => this.#onOpen(connection) }),
      ...(random.chance(0.3) && { onMessage: () => this.#onMessage() }),
    };
  }

  #platform(): Platform {
    const parts = { clock: this.#clock, random: this.#random, ledger: this.#ledger };
    let fate = chooseFate(this.#random);
    const PageSocket = pageSocketClass(parts, () => fate);
    return {
      warnings: null,
      makeTransport: (connection, context) => {
        fate = chooseFate(this.#random);
        this.#guidance = this.#random.chance(0.9)
          ? 'sound'
          : this.#random.pick(['throws', 'hangs']);
        const beganAtMs = this.#clock.now();
        this.#rules.attempted({ fate, guidance: this.#guidance, beganAtMs });
        return this.#isPage
          ? new BrowserTransport(new WebSocketEvents(connection), context, PageSocket)
          : new DialedSocket(parts, new SocketEvents(connection as SocketCore), fate);
      },
      holdProcess: () => () => {},
      whenAborted: () => () => {},
      watchHost: (observer) => {
        this.#host = observer;
        return () => {
          this.#host = null;
        };
      },
    };
  }

  #onOpen(connection: DialedConnection<unknown, unknown>): unknown {
    const random = this.#random;
    if (random.chance(0.3)) this.#sendOn(connection);
    if (random.chance(0.05)) connection.close();
    this.#maybeThrow();
    if (random.chance(0.5)) return undefined;
    const settled = this.#rules.welcomes();
    if (random.chance(0.05)) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      this.#clock.setTimer(random.integer(0, 1_500), () => {
        settled();
        if (random.chance(0.1)) reject(new Error('not admitted'));
        else resolve(undefined);
      });
    });
  }

  #onMessage(): void {
    this.#rules.handled();
    this.#maybeThrow();
  }

  #maybeThrow(): void {
    if (this.#random.chance(0.03)) throw new Error('the application threw');
  }

  #listen(): void {
    const { streams } = this.#client;
    streams.endings.observable.subscribe((ending) => this.#ended(ending));
    this.#ledger.onWrite = (message) => {
      if (this.#own.has(message)) this.#rules.wrote(message);
    };
    streams.statuses.observable.subscribe((status) => {
      this.#rules.moved(status);
      const isHangingUp = status.state === 'idling' || status.state === 'closing';
      if (isHangingUp && this.#random.chance(0.02)) this.#stop();
    });
    streams.events.observable.subscribe((event) => {
      this.#accounts.take(event);
      // A subscriber acts, too.
      if (this.#random.chance(0.05)) this.#act();
    });
  }

  #ended(ending: Ending): void {
    this.#endings.push(ending);
    this.#rules.ended(ending);
  }

  #plan(): void {
    const random = this.#random;
    const lifeMs = random.integer(2_000, 60_000);
    for (let left = random.integer(0, 120); left > 0; left -= 1) {
      this.#at(random.integer(0, lifeMs), () => this.#act());
    }
    this.#at(lifeMs, () => this.#stop());
  }

  #stop(): void {
    this.#isStopped = true;
    this.#rules.gaveUp();
    void this.#client.stop({ code: 1000, reason: '' });
  }

  #at(delayMs: number, act: () => void): void {
    this.#clock.arriveAt(delayMs, act);
  }

  #act(): void {
    const random = this.#random;
    const client = this.#client;
    const act = random.integer(0, 19);
    if (act < 9) this.#sendSome();
    else if (act < 12) this.#sendOn(client.connection);
    else if (act < 15) this.#steer(act);
    else if (act === 15) this.#open();
    else if (act === 16) this.#host?.offline();
    else if (act === 17) this.#host?.online();
    else if (act === 18) this.#host?.woke();
    else this.#subscribe();
  }

  #steer(act: number): void {
    const client = this.#client;
    const isMild = this.#random.chance(0.5);
    if (act === 13) this.#hurry();
    else if (act === 14) this.#pauseOrResume(isMild);
    else if (isMild) client.connection?.terminate();
    else this.#terminate();
  }

  #terminate(): void {
    this.#rules.gaveUp();
    this.#client.terminate();
  }

  #open(): void {
    this.#rules.used();
    this.#client.open();
  }

  #hurry(): void {
    if (['waiting', 'exhausted'].includes(this.#client.state)) this.#rules.hurried();
    this.#client.dialNow();
  }

  #pauseOrResume(isMild: boolean): void {
    this.#rules.paused();
    isMild ? this.#client.pause() : this.#client.resume();
  }

  #subscribe(): void {
    this.#rules.used();
    const subscription = this.#client.streams.messages.observable.subscribe((message) => {
      this.#rules.delivered();
      if (message !== 'news') this.#broken('heartbeats-are-hidden', String(message));
      this.#maybeThrow();
    });
    this.#clock.setTimer(this.#random.integer(10, 5_000), () => subscription.unsubscribe());
  }

  #sendSome(): void {
    const random = this.#random;
    for (let left = random.pick([1, 1, 5, 60]); left > 0; left -= 1) {
      const message = this.#accounts.message();
      const options = random.chance(0.7)
        ? usual
        : { queue: random.chance(0.5), ttlMs: random.integer(0, 5_000) };
      this.#rules.used();
      const sender = this.#client.used();
      this.#own.add(message.i);
      this.#accounts.hand(message, {
        send: (given) => sender.send(given, options),
        sendAndFlush: (given) => sender.sendAndFlush(given, options),
      });
    }
  }

  #sendOn(connection: DialedConnection<unknown, unknown> | undefined): void {
    const message = this.#accounts.message();
    if (connection !== undefined) this.#accounts.hand(message, connection);
  }

  async run(): Promise<DialedResult> {
    const untilMs = AFTERMATH_MS;
    while (this.#violation === null && this.#step(untilMs)) await this.#settle();
    await this.#settle();
    if (this.#violation === null) this.#checkEnd();
    const charts = this.#charts;
    return {
      seed: this.#seed,
      violation: this.#violation,
      attempts: this.#client.status.attempts,
      accepted: this.#accounts.accepted.length,
      arrows: {
        client: countsOf(charts.chartOf(clientTable)).arrows,
        connection: countsOf(charts.chartOf(connectionTable)).arrows,
      },
      causes: new Set(this.#endings.map(causeOf)),
      dropped: new Set(this.#accounts.dropped.values()),
    };
  }

  #step(untilMs: number): boolean {
    try {
      const isGoing = this.#clock.step(untilMs);
      this.#rules.check();
      return isGoing;
    } catch (thrown) {
      this.#broken('nothing-reaches-the-process', (thrown as Error).stack ?? String(thrown));
      return false;
    }
  }

  async #settle(): Promise<void> {
    for (let turns = 6; turns > 0; turns -= 1) await null;
  }

  #broken(rule: string, problem: string): void {
    this.#violation ??= { rule, problem };
  }

  /** What must hold after the end of a client. */
  #checkEnd(): void {
    const { state, attempts } = this.#client.status;
    if (!this.#isStopped || state !== 'stopped') this.#broken('stops', state);
    if (this.#endings.length !== attempts)
      this.#broken('one-ending-each', `${this.#endings.length} of ${attempts}`);
    this.#accounts.check();
    this.#checkOrder();
    if (this.#runtime.wheel.size > 0)
      this.#broken('holds-no-deadline', String(this.#runtime.wheel.size));
  }

  /**
   * Each message of the client itself is written after those that were sent before it. A browser may still
   * deliver what its page has given up, when the next connection is open.
   */
  #checkOrder(): void {
    const { written, received } = this.#ledger;
    const kept = received.filter((i) => !this.#accounts.dropped.has(i));
    for (const list of [written, kept]) {
      const own = list.filter((i) => this.#own.has(i));
      const jump = own.find((i, at) => i < (own[at - 1] ?? 0));
      if (jump !== undefined) this.#broken('in-order', String(jump));
    }
  }
}
