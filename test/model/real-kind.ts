import type { Arrangement, Drivers } from './real-drivers.ts';
import type { Impossibility } from './real-infeasible.ts';
import type { Actors, Fact, Plan, RealStage } from './real-stage.ts';

/** One of the two origins of a connection, and everything that depends on it. */
export interface Kind<Stage extends RealStage> {
  readonly name: string;
  /** The facts that lead to the state in which messages are received. */
  readonly opening: readonly Fact[];
  readonly drivers: Drivers<Stage>;
  readonly arrangements: readonly Arrangement[];
  readonly cannotHappen: readonly Impossibility[];
  set(plan: Plan, actors: Actors): Promise<Stage>;
  /** Asserts what the other end receives when a connection failed because of this fact. */
  assertFailed(stage: Stage, why: { state: string | undefined; fact: string }): Promise<void>;
}
