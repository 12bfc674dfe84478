import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type ExecutableActionsFrom,
  initialTransition,
  transition,
} from 'xstate';
import { snapshotPaths } from './snapshot-paths.ts';

/** An action of a chart, with its parameters; what it is told besides them is up to whoever carries it out. */
export type Order = ExecutableActionsFrom<AnyStateMachine>;

/** Where a fact leads from a place, and what the chart orders on the way. */
export interface Step {
  readonly to: Place;
  readonly orders: readonly Order[];
}

/** One configuration of a chart, shared by all who are in it. */
export class Place {
  readonly chart: AnyMachineSnapshot;
  /** Every active state as a path. */
  readonly states: readonly string[];
  readonly #memory: ChartMemory;
  readonly #steps = new Map<string, Step>();

  constructor(chart: AnyMachineSnapshot, memory: ChartMemory) {
    this.chart = chart;
    this.states = Object.freeze(snapshotPaths(chart.value));
    this.#memory = memory;
  }

  /** What the chart does here with a fact; asked once for all. */
  step(type: string): Step {
    const known = this.#steps.get(type);
    if (known !== undefined) return known;
    const step = this.#memory.ask(this.chart, type);
    this.#steps.set(type, step);
    return step;
  }
}

/**
 * The steps of a chart, each asked of XState once and remembered.
 *
 * Only for charts without guards and with nothing in their context but whoever carries out their orders: what they do
 * depends on the place and the fact alone.
 */
export class ChartMemory {
  readonly start: Place;
  readonly firstOrders: readonly Order[];
  readonly #machine: AnyStateMachine;
  readonly #places = new Map<string, Place>();

  /** @param input - of the machine; orders are kept, not carried out, while the chart is asked what it would do. */
  constructor(machine: AnyStateMachine, input: object) {
    this.#machine = machine;
    const [chart, orders] = initialTransition(machine, input);
    this.start = this.#placeOf(chart);
    this.firstOrders = orders;
  }

  /** @internal */
  ask(from: AnyMachineSnapshot, type: string): Step {
    const [chart, orders] = transition(this.#machine, from, { type });
    return { to: this.#placeOf(chart), orders };
  }

  #placeOf(chart: AnyMachineSnapshot): Place {
    const key = JSON.stringify(chart.value);
    const place = this.#places.get(key) ?? new Place(chart, this);
    this.#places.set(key, place);
    return place;
  }
}

/** Carries out the orders of a step. @param about - what every action is told: the context, for most. */
export function carryOut(orders: readonly Order[], about: object): void {
  for (const { exec, params } of orders) exec?.(about as never, params as never);
}
