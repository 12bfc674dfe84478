import {
  BehaviorSubject,
  Observable,
  type Observer,
  type Operator,
  Subject,
  Subscriber,
  type Subscription,
} from 'rxjs';
import { toError } from './errors.ts';
import { guarded, type ReportThrown } from './guard.ts';

type ObserverOrNext<Value> = Partial<Observer<Value>> | ((value: Value) => void) | null;

/**
 * An Observable whose subscribers cannot harm the process.
 *
 * RxJS rethrows what a subscriber throws from a timer, which ends a Node.js process. Here it is caught and
 * reported, whether thrown or rejected, directly on the stream or behind operators.
 */
class GuardedObservable<Value> extends Observable<Value> {
  readonly #report: ReportThrown;

  constructor(source: Observable<unknown>, report: ReportThrown) {
    super();
    this.source = source;
    this.#report = report;
  }

  /** Keeps the guard behind every operator of a pipe. */
  override lift<Result>(operator?: Operator<Value, Result>): Observable<Result> {
    const lifted = new GuardedObservable<Result>(this, this.#report);
    lifted.operator = operator as Operator<unknown, Result> | undefined;
    return lifted;
  }

  override subscribe(
    observerOrNext?: ObserverOrNext<Value>,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    if (isSubscriber(observerOrNext))
      return super.subscribe(observerOrNext as Partial<Observer<Value>>);
    const observer = toObserver(observerOrNext, error, complete);
    return super.subscribe(new GuardedSubscriber<Value>(observer, this.#report));
  }
}

/** An observer of the user's; what it throws is reported. */
class GuardedSubscriber<Value> extends Subscriber<Value> {
  readonly #observer: Partial<Observer<Value>>;
  readonly #report: ReportThrown;

  constructor(observer: Partial<Observer<Value>>, report: ReportThrown) {
    super();
    this.#observer = observer;
    this.#report = report;
  }

  protected override _next(value: Value): void {
    guarded(() => this.#observer.next?.(value), this.#report);
  }

  protected override _error(cause: unknown): void {
    if (this.#observer.error === undefined) this.#report(toError(cause));
    else guarded(() => this.#observer.error?.(cause), this.#report);
    this.#tearDown();
  }

  protected override _complete(): void {
    guarded(() => this.#observer.complete?.(), this.#report);
    this.#tearDown();
  }

  /** What was put behind it, with `finalize` for example, is code of the user as well. */
  #tearDown(): void {
    guarded(() => this.unsubscribe(), this.#report);
  }
}

/** Operators subscribe with RxJS's own subscriber, which hands errors downstream by itself. */
function isSubscriber(observer: unknown): boolean {
  return typeof observer === 'object' && observer !== null && 'isStopped' in observer;
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

/** A stream of values with a guarded public side, made when somebody asks for it. */
export class Stream<Value> {
  readonly #report: ReportThrown;
  readonly #subscribersChanged: (() => void) | undefined;
  /** What a subscriber gets at once; nothing on a stream without a first value. */
  #latest: Value | undefined;
  #subject: Subject<Value> | null = null;
  #observable: Observable<Value> | null = null;
  #isComplete = false;

  /**
   * With a first value, subscribers get the latest at once.
   *
   * @param subscribersChanged - called when somebody has subscribed, or left.
   */
  constructor(report: ReportThrown, first?: Value, subscribersChanged?: () => void) {
    this.#report = report;
    this.#latest = first;
    this.#subscribersChanged = subscribersChanged;
  }

  /** What users subscribe to. */
  get observable(): Observable<Value> {
    this.#observable ??= new GuardedObservable<Value>(this.#source(), this.#report);
    return this.#observable;
  }

  /** Whether anybody listens; a value nobody sees need not be made. */
  get observed(): boolean {
    return this.#subject?.observed === true;
  }

  next(value: Value): void {
    if (this.#latest !== undefined) this.#latest = value;
    this.#subject?.next(value);
  }

  complete(): void {
    this.#isComplete = true;
    // A subscriber that is not ours runs what the user put behind it by itself.
    guarded(() => this.#subject?.complete(), this.#report);
  }

  #source(): Observable<Value> {
    const subject = this.#begin();
    const changed = this.#subscribersChanged;
    if (changed === undefined) return subject;
    return new Observable((subscriber) => {
      const subscription = subject.subscribe(subscriber);
      changed();
      return () => {
        subscription.unsubscribe();
        changed();
      };
    });
  }

  #begin(): Subject<Value> {
    const latest = this.#latest;
    const subject =
      latest === undefined ? new Subject<Value>() : new BehaviorSubject<Value>(latest);
    if (this.#isComplete) subject.complete();
    this.#subject = subject;
    return subject;
  }
}
