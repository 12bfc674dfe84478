import type { Supervisor } from '../../src/server/supervisor-types.ts';
import type { FakeSocket } from './fake-socket.ts';
import type { SimulatedLife, SimulatedMessage } from './life.ts';
import { choosePlan, type SimulationPlan } from './plan.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedClock } from './simulated-clock.ts';
import { SimulationTrace } from './trace.ts';

/** A rule of Mooring that a simulation found broken. */
export interface Violation {
  /** The name of the rule. */
  readonly invariant: string;
  readonly problem: string;
  /** The number of the connection. 0 if none is concerned. */
  readonly who: number;
  readonly atMs: number;
}

/** How often each thing happened. */
export type Tally = Record<string, number>;

/** What the parts of one simulation share. */
export class SimulationWorld {
  readonly random: SeededRandom;
  readonly clock: SimulatedClock;
  readonly trace: SimulationTrace;
  readonly plan: SimulationPlan;
  readonly lives: SimulatedLife[] = [];
  readonly bySocket = new Map<FakeSocket, SimulatedLife>();
  readonly tally: Tally = {};
  supervisor!: Supervisor<number, SimulatedMessage, SimulatedMessage>;
  violation: Violation | null = null;
  /** Promises may be waiting to continue. */
  hasMicrotasks = false;
  /** Faults are over, and everything ends by itself. */
  isQuiet = false;

  constructor(seed: number, keepsTrace: boolean) {
    this.random = new SeededRandom(seed);
    // The first numbers of neighbouring seeds are similar in their high bits.
    this.random.next();
    this.clock = new SimulatedClock(this.random.next);
    this.trace = new SimulationTrace(keepsTrace);
    this.plan = choosePlan(this.random);
  }

  /** Records that a rule was broken. The first one counts. */
  broken(invariant: string, problem: string, life?: SimulatedLife): void {
    const who = life?.number ?? 0;
    this.note(`BROKEN ${invariant}`, who, problem);
    this.violation ??= { invariant, problem, who, atMs: this.clock.now() };
  }

  note(what: string, who = 0, detail: string | number = ''): void {
    this.trace.atMs = this.clock.now();
    this.trace.note(what, who, detail);
  }

  count(what: string): void {
    this.tally[what] = (this.tally[what] ?? 0) + 1;
  }

  in(delayMs: number, act: () => void): void {
    this.clock.arriveAt(this.clock.now() + delayMs, act);
  }

  /** A promise that settles later. */
  later<Value>(delayMs: number, settle: () => Value): Promise<Value> {
    this.hasMicrotasks = true;
    return new Promise((resolve, reject) => {
      this.in(delayMs, () => {
        this.hasMicrotasks = true;
        try {
          resolve(settle());
        } catch (thrown) {
          reject(thrown);
        }
      });
    });
  }

  /** Makes the loop stuck for a while. */
  stall(durationMs: number): void {
    this.note('stalls', 0, durationMs);
    for (const { deeds } of this.lives) deeds.add('loop was stuck');
    this.clock.stall(durationMs);
  }

  /** Marks the beginning of a stage of a life. */
  enterStage(life: SimulatedLife): void {
    life.stageSinceMs = this.clock.now();
    life.lostAtStageMs = this.clock.lostMs;
  }

  /** How long the loop has run in this stage, at least. */
  stageMs(life: SimulatedLife): number {
    return this.clock.now() - life.stageSinceMs - (this.clock.lostMs - life.lostAtStageMs);
  }

  isRegistered(life: SimulatedLife): boolean {
    return this.supervisor.get(life.id) !== undefined;
  }
}

/** What was thrown, and where. */
export function textOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
