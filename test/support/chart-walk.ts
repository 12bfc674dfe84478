import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  type AnyTransitionDefinition,
  type InspectionEvent,
  transition,
} from 'xstate';
import { getShortestPaths, getStateNodes } from 'xstate/graph';
import { hide } from '../../machines/hidden.ts';

/** A chart and what is needed to walk it. */
export interface WalkableChart {
  readonly machine: AnyStateMachine;
  /** The types of all facts. A `*` stands for the name of one actor. */
  readonly facts: readonly string[];
}

/** A fact that a place accepts. It may change nothing: a chart can ignore a fact. */
export interface Edge {
  /** The key of the place that it leaves. */
  readonly from: string;
  readonly fact: string;
  /** The key of the place that it leads to. */
  readonly to: string;
  /** The names of the transitions taken, see {@link transitionNames}. */
  readonly transitions: readonly string[];
}

/** A configuration of a chart: all states that are active at once. */
export interface Place {
  /** Identifies the place: the value of the snapshot as JSON. */
  readonly key: string;
  readonly snapshot: AnyMachineSnapshot;
  /** The shortest path there: facts, starting from the initial place. */
  readonly path: readonly string[];
  readonly edges: readonly Edge[];
}

/** The key of the place that a snapshot is in. */
export function keyOf({ value }: AnyMachineSnapshot): string {
  return JSON.stringify(value);
}

/** Every place of a chart, found by trying every fact everywhere. No order is carried out on the way. */
export function placesOf({ machine, facts }: WalkableChart): ReadonlyMap<string, Place> {
  const events = facts.map((fact) => ({ type: fact.replace('*', 'connection') }));
  const paths = getShortestPaths(machine, {
    // A walk needs nothing else from it than the output of a final state.
    input: hide({ outcome: () => undefined }),
    serializeState: keyOf,
    events: ({ status }: AnyMachineSnapshot) => (status === 'active' ? events : []),
  });
  const names = transitionNames(machine);
  const places = paths.map(({ state, steps }): [string, Place] => {
    const snapshot = state as AnyMachineSnapshot;
    const from = keyOf(snapshot);
    const path = steps.map(({ event }) => event.type).filter((type) => type !== 'xstate.init');
    const edges = events.flatMap((event): Edge[] => {
      if (snapshot.status !== 'active') return [];
      const taken = machine.getTransitionData(snapshot, event);
      if (taken.length === 0) return [];
      const to = keyOf(transition(machine, snapshot, event)[0]);
      return [
        { from, fact: event.type, to, transitions: taken.map((each) => nameIn(names, each)) },
      ];
    });
    return [from, { key: from, snapshot, path, edges }];
  });
  return new Map(places);
}

/** Every transition that a machine defines, with a readable name. */
export function transitionNames(
  machine: AnyStateMachine,
): ReadonlyMap<AnyTransitionDefinition, string> {
  const nodes = [machine.root as AnyStateNode, ...getStateNodes(machine)];
  return new Map(
    nodes
      .flatMap((node) => [...node.transitions.values()].flat())
      .map((each) => [each, nameOf(each)]),
  );
}

function nameOf({ source, eventType, target }: AnyTransitionDefinition): string {
  const to = target?.map(({ id }) => id).join(', ') ?? 'stays';
  return `${source.id} ─ ${eventType} → ${to}`;
}

function nameIn(
  names: ReadonlyMap<AnyTransitionDefinition, string>,
  each: AnyTransitionDefinition,
): string {
  const name = names.get(each);
  if (name === undefined) throw new Error(`the chart does not define ${nameOf(each)}`);
  return name;
}

/** Which transitions of a machine its actors have taken, according to XState's own inspection. */
export class Coverage {
  readonly #names: ReadonlyMap<AnyTransitionDefinition, string>;
  readonly #taken = new Set<AnyTransitionDefinition>();

  constructor(machine: AnyStateMachine) {
    this.#names = transitionNames(machine);
  }

  /** Records a step of an actor. Steps of other machines do not count. */
  readonly note = (event: InspectionEvent): void => {
    if (event.type !== '@xstate.microstep') return;
    for (const each of event._transitions) {
      if (this.#names.has(each)) this.#taken.add(each);
    }
  };

  /** How many transitions the machine defines. */
  get total(): number {
    return this.#names.size;
  }

  /** The names of the transitions that no actor has taken. */
  get missing(): readonly string[] {
    return [...this.#names].filter(([each]) => !this.#taken.has(each)).map(([, name]) => name);
  }
}
