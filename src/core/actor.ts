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
  /** Gets each value. */
  next?: (value: Value) => void;
  /** Called when the actor ends with an error. */
  error?: (error: unknown) => void;
  /** Called when the actor is done. */
  complete?: () => void;
}

/** Ends a subscription. */
export interface ActorSubscription {
  /** Ends it. A second call does nothing. */
  unsubscribe(): void;
}

/** What can be subscribed to in the way of XState. */
export interface ActorSubscribable<Value> {
  /** Calls the observer, or its functions, with each value from now on. */
  subscribe(observer: ActorObserver<Value>): ActorSubscription;
  /** Calls the observer, or its functions, with each value from now on. */
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
  /** Unique among its siblings: for a connection, its `id`. */
  readonly id: string;
  /** Unique within the actor system. */
  readonly sessionId: string;
  /** The state of the chart, at this moment. */
  getSnapshot(): ChartSnapshot<Output>;
  /** The same as {@link getSnapshot}. An actor of Mooring cannot be restored. */
  getPersistedSnapshot(): ChartSnapshot<Output>;
  /** A value that is made of each snapshot; its subscribers get it when it changes. */
  select<Selected>(
    selector: (snapshot: ChartSnapshot<Output>) => Selected,
    equals?: (one: Selected, other: Selected) => boolean,
  ): ActorSubscribable<Selected> & { get(): Selected };
  /** Never calls the listener: charts of Mooring emit nothing besides their snapshots. */
  on(type: string, listener: (emitted: never) => void): ActorSubscription;
  /** Not for you: the connection, client, pool or supervisor sends the facts. @throws MooringError `read-only` */
  send(event: { readonly type: string }): void;
  /** Does nothing: the actor has started. */
  start(): void;
  /** Not for you: the actor stops with its chart. @throws MooringError `read-only` */
  stop(): void;
  /** What an inspector shows of it. */
  toJSON(): object;
  /** The actor system, typed so that XState takes it. */
  readonly system: never;
  /** The name of the chart. */
  readonly src: string;
}
