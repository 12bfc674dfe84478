import {
  BehaviorSubject,
  Observable,
  type Observer,
  type Operator,
  Subject,
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
    const report = this.#report;
    return super.subscribe({
      next: (value) => void guarded(() => observer.next?.(value), report),
      error: (cause: unknown) => {
        if (observer.error === undefined) report(toError(cause));
        else guarded(() => observer.error?.(cause), report);
      },
      complete: () => void guarded(() => observer.complete?.(), report),
    });
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

/** A stream of values with a guarded public side. */
export class Stream<Value> {
  readonly #subject: Subject<Value>;
  /** What users subscribe to. */
  readonly observable: Observable<Value>;

  /** With a first value, subscribers get the latest at once. */
  constructor(report: ReportThrown, first?: Value) {
    this.#subject = first === undefined ? new Subject<Value>() : new BehaviorSubject<Value>(first);
    this.observable = new GuardedObservable<Value>(this.#subject, report);
  }

  /** Whether anybody listens; a value nobody sees need not be made. */
  get observed(): boolean {
    return this.#subject.observed;
  }

  next(value: Value): void {
    this.#subject.next(value);
  }

  complete(): void {
    this.#subject.complete();
  }
}
