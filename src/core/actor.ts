import type { InteropObservable } from 'rxjs';

/** Active states of a chart, nested as in the chart. */
export type ChartValue = string | { readonly [state: string]: ChartValue };

/**
 * The state of a chart at one moment, with the fields of a snapshot of an XState machine.
 *
 * @typeParam Output - the result of the chart: for a connection, its verdict or its failure.
 */
export type ChartSnapshot<Output = undefined> = {
  /** The active states, nested as in the chart. */
  readonly value: ChartValue;
  /** Always empty, because the data of a chart is internal. */
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
  /** Called with each value. */
  next?: (value: Value) => void;
  /** Called when the actor ends with an error. */
  error?: (error: unknown) => void;
  /** Called when the actor is done. */
  complete?: () => void;
}

/** A subscription to an actor. */
export interface ActorSubscription {
  /** Ends the subscription. A second call does nothing. */
  unsubscribe(): void;
}

/** A source of values to which you subscribe as in XState. */
export interface ActorSubscribable<Value> {
  /** Calls the observer with each value from now on. */
  subscribe(observer: ActorObserver<Value>): ActorSubscription;
  /** Calls the observer with each value from now on. */
  subscribe(
    next: (value: Value) => void,
    error?: (error: unknown) => void,
    complete?: () => void,
  ): ActorSubscription;
}

/**
 * The XState actor of a connection, a client, a pool or a supervisor. It is read-only and works wherever XState takes an
 * `ActorRef`, for example in `waitFor`, `toPromise` and `useSelector`.
 *
 * Subscribers are called in the order of events, and never inside a step of a chart. An error that a subscriber throws is
 * reported under the handler name `actor`.
 *
 * The type is written out here so that a project that checks the declarations of its packages needs no XState types, which do
 * not pass `exactOptionalPropertyTypes`.
 */
export interface ChartActor<Output = undefined>
  extends ActorSubscribable<ChartSnapshot<Output>>,
    InteropObservable<ChartSnapshot<Output>> {
  /** Unique among its siblings: for a connection, its `id`. */
  readonly id: string;
  /** Unique within the actor system. */
  readonly sessionId: string;
  /** The current state of the chart. */
  getSnapshot(): ChartSnapshot<Output>;
  /** The same as {@link getSnapshot}. You cannot restore an actor of Mooring. */
  getPersistedSnapshot(): ChartSnapshot<Output>;
  /** Derives a value from each snapshot. Subscribers get the value when it changes. */
  select<Selected>(
    selector: (snapshot: ChartSnapshot<Output>) => Selected,
    equals?: (one: Selected, other: Selected) => boolean,
  ): ActorSubscribable<Selected> & { get(): Selected };
  /** Never calls the listener: charts of Mooring emit only snapshots. */
  on(type: string, listener: (emitted: never) => void): ActorSubscription;
  /**
   * Always throws: only the connection, client, pool or supervisor sends facts to its chart. @throws MooringError `read-only`
   */
  send(event: { readonly type: string }): void;
  /** Does nothing: the actor has started. */
  start(): void;
  /** Always throws: the actor stops with its chart. @throws MooringError `read-only` */
  stop(): void;
  /** The form that an inspector shows. */
  toJSON(): object;
  /** The actor system, typed so that XState accepts it. */
  readonly system: never;
  /** The name of the chart. */
  readonly src: string;
}
