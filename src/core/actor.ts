import type { InteropObservable } from 'rxjs';

/** States of a chart, nested as the chart nests them. */
export type ChartValue = string | { readonly [state: string]: ChartValue };

/**
 * The state of a chart at one moment, with the fields of a snapshot of an XState machine.
 *
 * @typeParam Output - the result of the chart: for a connection, its verdict or its failure.
 */
export type ChartSnapshot<Output = undefined> = {
  /** The active states, nested as the chart nests them. */
  readonly value: ChartValue;
  /** Always empty: what a chart works with is internal. */
  readonly context: Readonly<Record<string, never>>;
  /** Whether a state is active, for example `'open'` or `{ open: { flow: 'congested' } }`. */
  matches(state: ChartValue): boolean;
} & (
  | { readonly status: 'active' | 'stopped'; readonly output: undefined; readonly error: undefined }
  | { readonly status: 'done'; readonly output: Output; readonly error: undefined }
  | { readonly status: 'error'; readonly output: undefined; readonly error: unknown }
);

/** Receives the snapshots of an actor. */
export interface ActorObserver<Value> {
  next?: (value: Value) => void;
  error?: (error: unknown) => void;
  complete?: () => void;
}

/** Ends a subscription. */
export interface ActorSubscription {
  unsubscribe(): void;
}

/** What can be subscribed to in the way of XState. */
export interface ActorSubscribable<Value> {
  subscribe(observer: ActorObserver<Value>): ActorSubscription;
  subscribe(
    next: (value: Value) => void,
    error?: (error: unknown) => void,
    complete?: () => void,
  ): ActorSubscription;
}

/**
 * The XState actor of a connection, a client, a pool or a supervisor, for reading. It fits wherever XState takes an
 * `ActorRef`, for example `waitFor`, `toPromise` and `useSelector`.
 *
 * Subscribers are called in the order in which things happened, and never inside a step of a chart. What they throw is
 * reported as an error of the handler `actor`.
 *
 * Written out here so that a project which checks the declarations of its packages needs no types of XState: those do
 * not pass `exactOptionalPropertyTypes`.
 */
export interface ChartActor<Output = undefined>
  extends ActorSubscribable<ChartSnapshot<Output>>,
    InteropObservable<ChartSnapshot<Output>> {
  readonly id: string;
  /** Unique within the actor system. */
  readonly sessionId: string;
  getSnapshot(): ChartSnapshot<Output>;
  /** The same as {@link getSnapshot}. An actor of Mooring cannot be restored. */
  getPersistedSnapshot(): ChartSnapshot<Output>;
  select<Selected>(
    selector: (snapshot: ChartSnapshot<Output>) => Selected,
    equals?: (one: Selected, other: Selected) => boolean,
  ): ActorSubscribable<Selected> & { get(): Selected };
  /** Never calls the listener: charts of Mooring emit nothing besides their snapshots. */
  on(type: string, listener: (emitted: never) => void): ActorSubscription;
  /** @throws MooringError `read-only` */
  send(event: { readonly type: string }): void;
  /** Does nothing: the actor has started. */
  start(): void;
  /** @throws MooringError `read-only` */
  stop(): void;
  toJSON(): object;
  /** The actor system, typed so that XState takes it. */
  readonly system: never;
  readonly src: string;
}
