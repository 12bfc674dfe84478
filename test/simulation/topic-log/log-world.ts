import { SeededRandom } from '../seeded-random.ts';
import type { Violation } from '../seeds.ts';
import { SimulatedClock } from '../simulated-clock.ts';
import { SimulationTrace } from '../trace.ts';
import type { Line } from './line.ts';
import { chooseLogPlan, type LogPlan } from './log-plan.ts';
import { ScriptedHistory } from './scripted-history.ts';

/** What everything in one simulation of a log shares. */
export class LogWorld {
  readonly random: SeededRandom;
  readonly clock: SimulatedClock;
  readonly plan: LogPlan;
  readonly history: ScriptedHistory;
  readonly trace: SimulationTrace;
  /** Everybody that follows the log, logs and readers. */
  readonly lines = new Set<Line>();
  violation: Violation | null = null;

  constructor(seed: number, keepsTrace: boolean) {
    this.random = new SeededRandom(seed);
    this.clock = new SimulatedClock(this.random.next);
    this.plan = chooseLogPlan(this.random);
    this.history = new ScriptedHistory(this.clock, this.plan.forMs, this.plan.isStrict);
    this.trace = new SimulationTrace(keepsTrace);
  }

  note(what: string, detail: string | number = ''): void {
    this.trace.atMs = this.clock.now();
    this.trace.note(what, 0, detail);
  }

  /** A rule is broken. Only the first counts. */
  broken(rule: string, problem: string): void {
    this.note('broken', `${rule}: ${problem}`);
    this.violation ??= { rule, problem };
  }

  in(delayMs: number, run: () => void): void {
    this.clock.lateBy(delayMs, run);
  }
}
