import {
  type ActorLogic,
  type ActorRef,
  type AnyActorRef,
  createActor,
  type EventObject,
  matchesState,
  type Snapshot,
  toObserver,
} from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import { connectionMachine } from '../../machines/connection.ts';
import { poolMachine } from '../../machines/pool.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import type {
  ActorObserver,
  ActorSubscribable,
  ActorSubscription,
  ChartActor,
  ChartSnapshot,
} from '../core/actor.ts';
import { MooringError } from '../core/errors.ts';
import { guarded, type ReportThrown } from '../core/guard.ts';
import type { InspectedActor, InspectionEvent, Inspector } from '../core/inspection.ts';
import type { Chart, ChartState } from './chart.ts';
import type { ChartRunner, RunnerObserver } from './runner.ts';
import { nested, type StateValue } from './table.ts';

type Status = 'active' | 'done' | 'error';

/**
 * A snapshot as XState and inspectors see it. All actors in one state share it, so it contains no data of a connection.
 *
 * Inspectors serialise own fields only, so `matches` is in the prototype.
 */
export class HostedSnapshot {
  readonly status: Status;
  readonly value: StateValue;
  readonly context = {};
  readonly output: unknown;
  readonly error: unknown;

  constructor(value: StateValue, status: Status, { output, error }: Outcome = {}) {
    this.status = status;
    this.value = value;
    this.output = output;
    this.error = error;
  }

  matches(state: StateValue): boolean {
    return matchesState(state, this.value);
  }
}

/** The result of a chart. */
interface Outcome {
  readonly output?: unknown;
  readonly error?: unknown;
}

/** The snapshot that all actors in a state share. */
export function snapshotOf(state: ChartState): HostedSnapshot {
  state.snapshot ??= new HostedSnapshot(nested(state.paths), state.isFinal ? 'done' : 'active');
  return state.snapshot as HostedSnapshot;
}

/**
 * Returns the snapshot that the actor of a runner shows. After a crash, it has an error of its own, because an
 * inspector would see the thrown error, which may contain secrets of the application.
 */
function shownOf({ state, error }: ChartRunner): HostedSnapshot {
  if (error === null) return snapshotOf(state);
  return new HostedSnapshot(nested(state.paths), 'error', {
    error: new Error('An order of the chart threw.'),
  });
}

type LogicSnapshot = Snapshot<unknown> & HostedSnapshot;
type HostedLogic = ActorLogic<LogicSnapshot, EventObject, undefined>;
/** An actor as XState runs it. */
export type HostedRef = ActorRef<LogicSnapshot, EventObject>;

/** An inspector of the application, and the function that reports its errors. */
export interface GuardedInspector {
  readonly inspect: Inspector;
  readonly report: ReportThrown;
}

export interface ActorParent {
  readonly ref: AnyActorRef;
}

/** The id of an actor, and its place in the actor system. */
export interface ActorPlace {
  readonly id: string;
  readonly parent: ActorParent | null;
  /** Receives each step of this actor and of its descendants. Only an actor without a parent has one. */
  readonly inspector?: GuardedInspector | undefined;
}

/** Makes actors. Behind an interface, so that a page does not have to load XState. */
export interface ActorHost {
  host(runner: ChartRunner, place: ActorPlace): HostedActor;
  /** Makes a parent for actors that have no other. */
  makeRoot(): ActorParent;
}

/**
 * The XState actor of one runner, and its logic.
 *
 * The runner decides, and the actor shows the result. Each step becomes one event of the actor, sent as a notification,
 * so observers and inspectors never run inside a step. Any other event changes nothing.
 */
export class HostedActor implements RunnerObserver {
  readonly runner: ChartRunner;
  /** Set until the actor is made. */
  #place: ActorPlace | null;
  #ref: HostedRef | null = null;
  #shown: HostedSnapshot;
  #reader: ChartActor<unknown> | null = null;

  constructor(runner: ChartRunner, place: ActorPlace) {
    this.runner = runner;
    this.#place = place;
    this.#shown = shownOf(runner);
    runner.observe(this);
    runner.notifications.add(() => void this.ref);
  }

  /** The configuration of the machine without its descriptions. An inspector draws the chart from it. */
  get config(): object {
    return configOf(this.runner.chart);
  }

  get ref(): HostedRef {
    this.#ref ??= this.#makeRef(this.#place as ActorPlace);
    return this.#ref;
  }

  #makeRef({ id, parent, inspector }: ActorPlace): HostedRef {
    const logic = this as unknown as HostedLogic;
    const options =
      parent === null
        ? { id, ...(inspector && { inspect: inspect(inspector) }) }
        : { id, parent: parent.ref };
    const ref = createActor(logic, options);
    this.#place = null;
    // Without an observer for errors, XState would rethrow the error in the process.
    if (this.#shown.status === 'error') ref.subscribe({ error: () => {} });
    ref.start();
    // XState reads its options only to start, and they take 300 bytes for each actor (measured).
    return Object.assign(ref, { options: startedOptions });
  }

  /**
   * The public actor: the same object at each call.
   *
   * @param outcome - returns the result of the chart.
   * @param report - reports the error of a subscriber.
   */
  reader<Output>(outcome: () => Output | undefined, report: ReportThrown): ChartActor<Output> {
    this.#reader ??= new ReadOnlyActor(this, outcome, report);
    return this.#reader as ChartActor<Output>;
  }

  // Reports of the runner.

  stepped(fact: string, to: ChartState): void {
    this.#show({ type: fact }, snapshotOf(to));
  }

  crashed(): void {
    // Without an observer for errors, XState would rethrow the error in the process.
    this.runner.notifications.add(() => void this.ref.subscribe({ error: () => {} }));
    this.#show({ type: 'chart.crashed' }, shownOf(this.runner));
  }

  #show(event: EventObject, snapshot: HostedSnapshot): void {
    this.runner.notifications.add(() => {
      this.#shown = snapshot;
      this.ref.send(event);
    });
  }

  // Methods that XState calls.

  /** @internal */
  transition(): HostedSnapshot {
    return this.#shown;
  }

  /** @internal */
  getInitialSnapshot(): HostedSnapshot {
    return this.#shown;
  }

  /** @internal */
  getPersistedSnapshot(snapshot: HostedSnapshot): HostedSnapshot {
    return snapshot;
  }
}

/** The options of all actors that have started. */
const startedOptions = Object.freeze({});

/** The name of the method that RxJS and XState call where JavaScript has no `Symbol.observable`. */
const observable: typeof Symbol.observable =
  Symbol.observable ?? ('@@observable' as unknown as typeof Symbol.observable);

/** The public side of an actor: always in the state of its chart, and read-only. */
class ReadOnlyActor<Output> implements ChartActor<Output> {
  readonly #hosted: HostedActor;
  readonly #outcome: () => Output | undefined;
  readonly #report: ReportThrown;
  /** The snapshot after the end. It is not shared, because it has the output. */
  #last: HostedSnapshot | null = null;

  /** @param outcome - returns the result of the chart. @param report - reports the error of an observer. */
  constructor(hosted: HostedActor, outcome: () => Output | undefined, report: ReportThrown) {
    this.#hosted = hosted;
    this.#outcome = outcome;
    this.#report = report;
  }

  get id(): string {
    return this.#hosted.ref.id;
  }

  get sessionId(): string {
    return this.#hosted.ref.sessionId;
  }

  get system(): never {
    return guardedSystem(this.#hosted.ref.system, this.#report) as never;
  }

  get src(): string {
    return this.#hosted.runner.chart.table.name;
  }

  getSnapshot(): ChartSnapshot<Output> {
    const { runner } = this.#hosted;
    if (!runner.isOver) return snapshotOf(runner.state) as unknown as ChartSnapshot<Output>;
    this.#last ??= this.#makeLast(runner);
    return this.#last as unknown as ChartSnapshot<Output>;
  }

  #makeLast({ state, error }: ChartRunner): HostedSnapshot {
    const value = nested(state.paths);
    return error !== null
      ? new HostedSnapshot(value, 'error', { error })
      : new HostedSnapshot(value, 'done', { output: this.#outcome() });
  }

  getPersistedSnapshot(): ChartSnapshot<Output> {
    return this.getSnapshot();
  }

  subscribe(
    next: ActorObserver<ChartSnapshot<Output>> | ((snapshot: ChartSnapshot<Output>) => void),
    error?: (error: unknown) => void,
    complete?: () => void,
  ): ActorSubscription {
    const observer = toObserver(next as ActorObserver<ChartSnapshot<Output>>, error, complete);
    const report = this.#report;
    let last: unknown = this.#hosted.ref.getSnapshot();
    return this.#hosted.ref.subscribe({
      next: (snapshot) => {
        // XState emits the same snapshot again for each child that ends.
        if (snapshot === last) return;
        last = snapshot;
        const own = snapshot.status === 'active' ? snapshot : this.getSnapshot();
        guarded(() => observer.next?.(own as ChartSnapshot<Output>), report);
      },
      error: () => void guarded(() => observer.error?.(this.getSnapshot().error), report),
      complete: () => void guarded(() => observer.complete?.(), report),
    });
  }

  select<Selected>(
    selector: (snapshot: ChartSnapshot<Output>) => Selected,
    equals: (one: Selected, other: Selected) => boolean = Object.is,
  ): ActorSubscribable<Selected> & { get(): Selected } {
    const get = () => selector(this.getSnapshot());
    const subscribe = (
      next: ActorObserver<Selected> | ((value: Selected) => void),
      error?: (error: unknown) => void,
      complete?: () => void,
    ) => {
      const observer = toObserver(next as ActorObserver<Selected>, error, complete);
      let last = get();
      const emit = (snapshot: ChartSnapshot<Output>): unknown => {
        const selected = selector(snapshot);
        if (equals(last, selected)) return undefined;
        last = selected;
        return observer.next?.(selected);
      };
      return this.subscribe({ ...observer, next: emit } as ActorObserver<ChartSnapshot<Output>>);
    };
    return { get, subscribe };
  }

  on(): ActorSubscription {
    return { unsubscribe: () => {} };
  }

  send(event: { readonly type: string }): void {
    throw readOnly(
      `${event.type} cannot be sent: call a method of the connection, client, pool or supervisor`,
    );
  }

  start(): void {}

  stop(): void {
    throw readOnly(
      'it stops with its chart: close the connection or client, or drain the pool or supervisor',
    );
  }

  toJSON(): object {
    return { xstate$$type: 1, id: this.id };
  }

  [observable](): this {
    return this;
  }
}

function readOnly(problem: string): MooringError {
  return new MooringError('read-only', `the actor is read-only; ${problem}`);
}

type ActorSystem = HostedRef['system'];

const guardedSystems = new WeakMap<ActorSystem, ActorSystem>();

/**
 * Returns the system with a guard around added inspectors. They run within a step of XState, and an error would break
 * that step.
 */
function guardedSystem(system: ActorSystem, report: ReportThrown): ActorSystem {
  const known = guardedSystems.get(system);
  if (known !== undefined) return known;
  const inspectGuarded: ActorSystem['inspect'] = (observer) =>
    system.inspect(inspect({ inspect: observer as Inspector, report }) as typeof observer);
  const guarded = { ...system, inspect: inspectGuarded };
  guardedSystems.set(system, guarded);
  return guarded;
}

/** Makes the inspector of a system. It drops repeated snapshots, which events without effect cause. */
function inspect({
  inspect: inspector,
  report,
}: GuardedInspector): (event: InspectionEvent) => void {
  const see = (event: InspectionEvent) =>
    typeof inspector === 'function' ? inspector(event) : inspector.next?.(event);
  const snapshots = new WeakMap<InspectedActor, unknown>();
  const isRepeated = (event: InspectionEvent) => {
    if (event.type !== '@xstate.snapshot') return false;
    const before = snapshots.get(event.actorRef);
    snapshots.set(event.actorRef, event.snapshot);
    return before === event.snapshot;
  };
  return (event) => {
    if (!isRepeated(event)) guarded(() => see(event), report);
  };
}

export const xstateHost: ActorHost = {
  host: (runner, place) => new HostedActor(runner, place),
  makeRoot: () => ({ ref: createActor(inertLogic).start() }),
};

/** Ignores the signals of its children. */
const inertLogic: ActorLogic<Snapshot<unknown>, EventObject> = {
  transition: (snapshot) => snapshot,
  getInitialSnapshot: () => ({ status: 'active', output: undefined, error: undefined }),
  getPersistedSnapshot: (snapshot) => snapshot,
};

const machines = [connectionMachine, clientMachine, poolMachine, supervisorMachine];

/** The configuration of the machine that a chart was made from. All actors of the chart share it. */
function configOf(chart: Chart): object {
  if (chart.config !== null) return chart.config;
  const machine = machines.find(({ id }) => id === chart.table.name);
  chart.config = withoutUndrawn(machine?.config ?? {}) as object;
  return chart.config;
}

/** Parts of a configuration that a drawing does not need. They are 40 % of what an inspector sends per actor (measured). */
const undrawn: ReadonlySet<string> = new Set(['description', 'meta', 'params']);

function withoutUndrawn(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withoutUndrawn);
  if (typeof part !== 'object' || part === null) return part;
  const entries = Object.entries(part).filter(([name]) => !undrawn.has(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, withoutUndrawn(value)]));
}
