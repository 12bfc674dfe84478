import type { Observer, Subscription } from 'rxjs';
// The same class as that of `rxjs`, whose entry would load more than 200 modules besides: 100 ms of a start (measured).
import { Observable } from 'rxjs/internal/Observable';
import { toError } from './errors.ts';
import { guarded, type ReportThrown } from './guard.ts';
import { hasMethods } from './methods.ts';

type ObserverOrNext<Value> = Partial<Observer<Value>> | ((value: Value) => void) | null;

/**
 * An Observable whose subscribers cannot harm the process.
 *
 * RxJS rethrows the errors of subscribers from a timer, which ends a Node.js process. This Observable reports what a subscriber
 * throws or rejects with, including behind operators. An Observable that was not made by `pipe`, such as `merge(a$, b$)`,
 * belongs to RxJS and has no guard.
 *
 * It overrides `subscribe` and `pipe` and uses only the public API of RxJS: the unit test of this file passes with RxJS 7.8 and
 * with 8.0.0-alpha.14.
 */
class GuardedObservable<Value> extends Observable<Value> {
  readonly #source: Observable<Value>;
  readonly #report: ReportThrown;

  constructor(source: Observable<Value>, report: ReportThrown) {
    super();
    this.#source = source;
    this.#report = report;
  }

  override subscribe(
    observerOrNext?: ObserverOrNext<Value>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    if (isSubscriber(observerOrNext)) return this.#source.subscribe(observerOrNext);
    const observer = toObserver(observerOrNext, error, complete);
    const guard = new GuardedObserver(observer, this.#report);
    return new Observable<Value>((subscriber) => {
      guard.subscription = subscriber;
      return this.#source.subscribe(subscriber);
    }).subscribe(guard);
  }

  /** Keeps the guard behind the operators. */
  override pipe(...operators: readonly unknown[]): Observable<never> {
    const result: unknown = Reflect.apply(super.pipe, this, operators);
    const kept = isPlainObservable(result) ? new GuardedObservable(result, this.#report) : result;
    return kept as Observable<never>;
  }
}

/**
 * An observer of the application. What it throws is reported.
 *
 * No field is `#private`: with `useDeprecatedNextContext`, RxJS 7 calls it through an object that inherits
 * from it.
 */
class GuardedObserver<Value> implements Observer<Value> {
  readonly observer: Partial<Observer<Value>>;
  readonly report: ReportThrown;
  /** The subscription of this observer, known before its first value. */
  subscription: Subscription | null = null;

  constructor(observer: Partial<Observer<Value>>, report: ReportThrown) {
    this.observer = observer;
    this.report = report;
  }

  next(value: Value): void {
    guarded(() => this.observer.next?.(value), this.report);
  }

  error(cause: unknown): void {
    if (this.observer.error === undefined) this.report(toError(cause));
    else guarded(() => this.observer.error?.(cause), this.report);
    this.tearDown();
  }

  complete(): void {
    guarded(() => this.observer.complete?.(), this.report);
    this.tearDown();
  }

  /**
   * A teardown, such as that of `finalize`, is application code too. RxJS would run it next and would not catch what it throws.
   */
  tearDown(): void {
    guarded(() => this.subscription?.unsubscribe(), this.report);
  }
}

/**
 * Whether it is a Subscriber of any copy of RxJS. Operators subscribe with one.
 *
 * A Subscriber needs no guard: it passes errors downstream.
 */
function isSubscriber(value: unknown): value is Observer<unknown> {
  return hasMethods(value, ['next', 'error', 'complete', 'add', 'unsubscribe']);
}

/**
 * Whether it is an Observable of any copy of RxJS. A subclass is left alone, because it may have further methods, such
 * as `connect`.
 */
function isPlainObservable(value: unknown): value is Observable<unknown> {
  if (!hasMethods(value, ['subscribe', 'pipe'])) return false;
  return Object.getPrototypeOf(Object.getPrototypeOf(value)) === Object.prototype;
}

function toObserver<Value>(
  observerOrNext: ObserverOrNext<Value> | undefined,
  error: ((error: unknown) => void) | null | undefined,
  complete: (() => void) | null | undefined,
): Partial<Observer<Value>> {
  if (typeof observerOrNext === 'object' && observerOrNext !== null) return observerOrNext;
  return {
    ...(observerOrNext && { next: observerOrNext }),
    ...(error && { error }),
    ...(complete && { complete }),
  };
}

/**
 * A stream of values. Its public Observable is guarded and made when it is first read.
 *
 * It keeps its own list of subscribers, because a Subject of RxJS stops at the first subscriber that throws. Guarded observers
 * never throw, but the Subscriber of an operator may, when it runs a teardown at the end.
 */
export class Stream<Value> {
  readonly #report: ReportThrown;
  readonly #subscribersChanged: (() => void) | undefined;
  /** The value that a new subscriber gets at once; `undefined` on a stream without a first value. */
  #latest: Value | undefined;
  #observable: Observable<Value> | null = null;
  /** Made for the first subscriber. */
  #subscribers: Set<Observer<Value>> | null = null;
  /** A copy of the subscribers for `next`; dropped when a subscriber joins or leaves. */
  #recipients: readonly Observer<Value>[] | null = null;
  #isComplete = false;

  /**
   * @param first - with a first value, a new subscriber gets the latest value at once, even after the end.
   * @param subscribersChanged - called when a subscriber has joined or left.
   */
  constructor(report: ReportThrown, first?: Value, subscribersChanged?: () => void) {
    this.#report = report;
    this.#latest = first;
    this.#subscribersChanged = subscribersChanged;
  }

  /** The guarded Observable for subscribers. */
  get observable(): Observable<Value> {
    this.#observable ??= new GuardedObservable<Value>(this.#source(), this.#report);
    return this.#observable;
  }

  /** Whether there are subscribers. Callers check this first, so that they make no value without a receiver. */
  get observed(): boolean {
    return this.#subscribers !== null && this.#subscribers.size > 0;
  }

  /** Emits a value to the current subscribers, but not to those that one of them adds meanwhile. */
  next(value: Value): void {
    if (this.#latest !== undefined) this.#latest = value;
    if (this.#subscribers === null) return;
    this.#recipients ??= [...this.#subscribers];
    for (const subscriber of this.#recipients) {
      try {
        subscriber.next(value);
      } catch (thrown) {
        this.#report(toError(thrown));
      }
    }
  }

  complete(): void {
    this.#isComplete = true;
    const subscribers = this.#subscribers ?? [];
    this.#subscribers = null;
    for (const subscriber of subscribers) guarded(() => subscriber.complete(), this.#report);
  }

  #source(): Observable<Value> {
    return new Observable((subscriber) => {
      if (this.#isComplete) {
        if (this.#latest !== undefined) subscriber.next(this.#latest);
        subscriber.complete();
        return;
      }
      this.#add(subscriber);
      subscriber.add(() => this.#remove(subscriber));
      if (this.#latest !== undefined) subscriber.next(this.#latest);
    });
  }

  #add(subscriber: Observer<Value>): void {
    this.#subscribers ??= new Set();
    this.#subscribers.add(subscriber);
    this.#recipients = null;
    this.#subscribersChanged?.();
  }

  #remove(subscriber: Observer<Value>): void {
    this.#subscribers?.delete(subscriber);
    this.#recipients = null;
    this.#subscribersChanged?.();
  }
}
