import { RingBudget } from '../../../src/bus/ring.ts';
import { type ArrowCount, countsOf } from '../../../src/chart/chart-counts.ts';
import { ChartSystem } from '../../../src/chart/chart-system.ts';
import { topicLogTable } from '../../../src/chart/tables/topic-log.ts';
import type { Place } from '../../../src/core/bus-log.ts';
import { TimerWheel } from '../../../src/core/timer-wheel.ts';
import type { SeedResult } from '../seeds.ts';
import type { TraceLine } from '../trace.ts';
import { LogReader } from './log-reader.ts';
import { LogWatch } from './log-watch.ts';
import { LogWorld } from './log-world.ts';
import { ScriptedLog } from './scripted-log.ts';

/** The result of one simulation. */
export interface LogResult extends SeedResult {
  /** Equal for the same seed. */
  readonly digest: string;
  readonly trace: readonly TraceLine[];
  readonly arrows: readonly ArrowCount[];
  readonly messages: number;
  readonly arrivals: number;
  readonly interruptions: number;
  readonly readers: number;
}

const TICK_MS = 100;

/** After the last message: a check, the longest pause, an answer that never comes, and some more. */
const CHECKS_MS = 45_000;

/** A topic that nobody needs is closed after this time. */
const LINGERED_MS = 125_000;

/** How often a topic may be asked for in one second while the server is away. */
const QUESTIONS_MAX = 6;

const MICROTASK_TURNS = 12;

/** Runs the logs of some topics in some processes on one scripted bus, until everything is quiet. */
export async function simulateLog(
  seed: number,
  { trace = false }: { readonly trace?: boolean } = {},
): Promise<LogResult> {
  return new LogSimulation(seed, trace).run();
}

interface Process {
  readonly link: ScriptedLog;
  readonly watches: readonly LogWatch[];
}

class LogSimulation {
  readonly #seed: number;
  readonly #world: LogWorld;
  readonly #charts: ChartSystem;
  readonly #processes: Process[] = [];
  /** Places that somebody may come back at. */
  readonly #places = new Map<string, Place[]>();
  #messages = 0;
  /** When a topic is needed again for the last time. */
  #neededAtMs = 0;
  #readers = 0;

  constructor(seed: number, keepsTrace: boolean) {
    this.#seed = seed;
    this.#world = new LogWorld(seed, keepsTrace);
    const { clock, plan } = this.#world;
    this.#charts = new ChartSystem({ actorHost: null, areEager: false }, clock);
    for (const topic of plan.topics) this.#places.set(topic, []);
    this.#append();
    for (let index = 0; index < plan.processes; index += 1) this.#processes.push(this.#open(index));
    this.#planActs();
  }

  #open(index: number): Process {
    const world = this.#world;
    const { clock, random, history, plan } = world;
    const { forMs, faults } = plan;
    const retention = { forMs, messagesPerTopic: 1_000 };
    const log = new ScriptedLog(history, clock, random, { faults, retention });
    const budget = new RingBudget(plan.ringBytesMax);
    const wheel = new TimerWheel(clock, TICK_MS);
    const shared = { log, clock, wheel, budget, charts: this.#charts, random: random.next };
    const watches = plan.topics.map((topic) => new LogWatch(world, topic, `p${index}`, shared));
    log.whenHeard = (topic, entry) => {
      for (const watch of watches) if (watch.topic === topic) watch.heard(entry);
    };
    log.whenAsked = this.#countQuestions(log);
    return { link: log, watches };
  }

  /** While its server is away, nobody may ask without a pause. */
  #countQuestions(link: ScriptedLog): (topic: string) => void {
    const world = this.#world;
    const asked = new Map<string, number[]>();
    return (topic) => {
      const nowMs = world.clock.now();
      const recent = (asked.get(topic) ?? []).filter((atMs) => nowMs - atMs < 1_000);
      asked.set(topic, link.isUp ? [] : [...recent, nowMs]);
      if (recent.length > QUESTIONS_MAX) world.broken('never-busy', `${recent.length} questions`);
    };
  }

  #planActs(): void {
    const { plan, random } = this.#world;
    const { healAtMs, quietAtMs } = plan;
    const acts: readonly (readonly [times: number, act: () => void])[] = [
      [plan.bursts, () => this.#append()],
      [plan.outages, () => this.#loseOne()],
      [plan.rollBacks, () => this.#rollBack()],
      [plan.expirations, () => this.#expire()],
      [plan.leaves, () => this.#leave()],
    ];
    for (const [times, act] of acts)
      for (let left = times; left > 0; left -= 1) this.#world.in(random.next() * healAtMs, act);
    for (let left = plan.readers; left > 0; left -= 1)
      this.#world.in(random.next() * quietAtMs, () => this.#comeBack());
    this.#world.in(healAtMs, () => this.#heal());
    for (const atMs of [healAtMs + 500, quietAtMs]) this.#world.in(atMs, () => this.#append());
  }

  #append(): void {
    const { random, history, plan } = this.#world;
    history.offset += random.integer(0, 2);
    for (let left = random.integer(1, plan.burstMax); left > 0; left -= 1) {
      const topic = random.pick(plan.topics as [string, ...string[]]);
      const message = history.append(topic);
      this.#messages += 1;
      this.#world.note('kept', `${topic} ${message.offset}`);
      const { log } = history;
      this.#places.get(topic)?.push({ log, offset: message.offset, tag: message.tag });
      for (const { link } of this.#processes) link.kept(message);
    }
  }

  #loseOne(): void {
    const { random } = this.#world;
    const process = random.pick(this.#processes as [Process, ...Process[]]);
    if (this.#lose(process)) this.#world.in(random.next() * 6_000, () => this.#return(process));
  }

  #lose({ link, watches }: Process): boolean {
    if (!link.isUp) return false;
    this.#world.note('lost');
    link.lose();
    for (const { log } of watches) log.lost();
    return true;
  }

  #return({ link, watches }: Process): void {
    if (link.isUp) return;
    this.#world.note('returned');
    link.return();
    for (const { log } of watches) log.returned();
  }

  /** The server comes back with an older disk. Processes that are back know only later. */
  #rollBack(): void {
    const { random, history, lines } = this.#world;
    for (const process of this.#processes) {
      this.#lose(process);
      this.#world.in(random.next() * 2_000, () => this.#return(process));
    }
    const offset = history.rollBack(random.next() * 5_000);
    this.#world.note('rolled back', offset);
    for (const line of lines) line.rolledBackTo(offset);
    this.#world.in(2_000 + random.next() * 2_000, () => this.#rename());
  }

  #rename(): void {
    const { random, history } = this.#world;
    history.rename();
    this.#world.note('renamed', history.log);
    for (const { watches } of this.#processes)
      for (const watch of watches) this.#world.in(random.next() * 500, () => watch.rewritten());
  }

  #expire(): void {
    const { random, history, plan } = this.#world;
    const topic = random.pick(plan.topics as [string, ...string[]]);
    this.#world.note('expired', topic);
    history.expire(topic, random.integer(1, 20));
  }

  #leave(): void {
    const { random, plan } = this.#world;
    const watch = this.#watch();
    if (!watch.isNeeded) return;
    watch.leave();
    const awayMs = random.chance(0.3) ? LINGERED_MS : random.next() * 4_000;
    const untilMs = Math.max(0, plan.quietAtMs - this.#world.clock.now());
    const backMs = random.chance(0.7) ? Math.min(awayMs, untilMs) : awayMs;
    this.#neededAtMs = Math.max(this.#neededAtMs, this.#world.clock.now() + backMs);
    this.#world.in(backMs, () => {
      if (!watch.isNeeded) watch.need();
    });
  }

  #watch(): LogWatch {
    const { random } = this.#world;
    const { watches } = random.pick(this.#processes as [Process, ...Process[]]);
    return random.pick(watches as [LogWatch, ...LogWatch[]]);
  }

  /** Somebody comes back, or several at the same place. */
  #comeBack(): void {
    const { random } = this.#world;
    const watch = this.#watch();
    const known = this.#places.get(watch.topic) ?? [];
    const recent = random.chance(0.6) ? known.slice(-8) : known;
    const tops = this.#processes.flatMap(({ watches }) =>
      watches.filter(({ topic }) => topic === watch.topic).map(({ log }) => log.top),
    );
    const places = [...recent, ...tops.filter((top) => top !== null)];
    if (places.length === 0) return;
    if (!watch.isNeeded) watch.need();
    const place = random.pick(places as [Place, ...Place[]]);
    for (let left = random.integer(1, 3); left > 0; left -= 1) {
      this.#readers += 1;
      this.#world.note('reader', place.offset);
      new LogReader(this.#world, watch, place);
    }
  }

  #heal(): void {
    for (const process of this.#processes) {
      process.link.heal();
      this.#return(process);
    }
  }

  async run(): Promise<LogResult> {
    const world = this.#world;
    const { plan, trace } = world;
    const restMs = plan.forMs / 4 + CHECKS_MS;
    const isOver = () => !this.#step(Math.max(plan.quietAtMs, this.#neededAtMs) + restMs);
    while (world.violation === null && !isOver()) await this.#settle();
    const watches = this.#processes.flatMap((process) => process.watches);
    if (world.violation === null) for (const watch of watches) watch.checkEnd();
    const sum = (what: 'arrivals' | 'interruptions') =>
      watches.reduce((total, watch) => total + watch[what], 0);
    return {
      ...{ seed: this.#seed, violation: world.violation, digest: trace.digest },
      ...{ trace: trace.lines, messages: this.#messages, readers: this.#readers },
      ...{ arrivals: sum('arrivals'), interruptions: sum('interruptions') },
      arrows: countsOf(this.#charts.chartOf(topicLogTable)).arrows,
    };
  }

  /** Lets the code run that has waited for an answer. */
  async #settle(): Promise<void> {
    if (!this.#processes.some(({ link }) => link.hasSettled)) return;
    for (const { link } of this.#processes) link.hasSettled = false;
    for (let turns = MICROTASK_TURNS; turns > 0; turns -= 1) await null;
  }

  #step(untilMs: number): boolean {
    try {
      return this.#world.clock.step(untilMs);
    } catch (thrown) {
      this.#world.broken('nothing-throws', (thrown as Error).stack ?? String(thrown));
      return false;
    }
  }
}
