import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  config,
  defer,
  filter,
  finalize,
  firstValueFrom,
  from,
  map,
  merge,
  mergeMap,
  NEVER,
  Observable,
  type Observer,
  Subject,
  share,
  shareReplay,
  take,
  takeUntil,
  tap,
} from 'rxjs';
import { map as mapOfAnotherCopy } from 'rxjs-8';
import { Stream } from '../../src/core/stream.ts';
import { turns } from '../support/until.ts';

const boom = new Error('boom');

function fail(): never {
  throw boom;
}

/** A stream with everything that it reported. */
function newStream() {
  const reported: Error[] = [];
  const stream = new Stream<number>((error) => reported.push(error));
  return { stream, reported, observable: stream.observable };
}

describe('Stream', () => {
  /** Errors that RxJS would have thrown from a timer, which ends the process. */
  let unhandled: unknown[] = [];

  beforeEach(() => {
    unhandled = [];
    config.onUnhandledError = (error) => void unhandled.push(error);
  });

  afterEach(async () => {
    // RxJS reports from the shortest possible timer, and timers of the same length fire in order.
    await new Promise((resolve) => setTimeout(resolve, 1));
    await turns();
    config.onUnhandledError = null;
    assert.deepEqual(unhandled, []);
  });

  it('emits to functions and to observers, and completes', () => {
    const { stream, reported, observable } = newStream();
    const seen: unknown[] = [];
    observable.subscribe((value) => seen.push(value));
    observable.subscribe({ next: (value) => seen.push(-value), complete: () => seen.push('end') });
    observable.subscribe({ complete: () => seen.push('END') });
    observable.subscribe();
    observable.subscribe(null);
    stream.next(1);
    stream.next(2);
    stream.complete();
    assert.deepEqual(seen, [1, -1, 2, -2, 'end', 'END']);
    assert.deepEqual(reported, []);
  });

  it('reports what a subscriber throws, and keeps it and the others subscribed', () => {
    const { stream, reported, observable } = newStream();
    const seen: number[] = [];
    observable.subscribe(fail);
    observable.subscribe({ next: fail });
    observable.subscribe((value) => seen.push(value));
    stream.next(1);
    stream.next(2);
    assert.deepEqual(seen, [1, 2]);
    assert.deepEqual(reported, [boom, boom, boom, boom]);
  });

  it('reports what an async subscriber rejects with', async () => {
    const { stream, reported, observable } = newStream();
    observable.subscribe(async () => fail());
    observable.subscribe({ next: async () => fail() });
    stream.next(1);
    await turns(2);
    assert.deepEqual(reported, [boom, boom]);
  });

  it('reports what a complete handler throws', () => {
    const { stream, reported, observable } = newStream();
    const seen: string[] = [];
    observable.subscribe({ complete: fail });
    observable.subscribe({ complete: () => seen.push('end') });
    stream.complete();
    assert.deepEqual([seen, reported], [['end'], [boom]]);
  });

  it('keeps the `this` of an observer', () => {
    const { stream, observable } = newStream();
    class Sum implements Partial<Observer<number>> {
      total = 0;
      next(value: number): void {
        this.total += value;
      }
    }
    const sum = new Sum();
    observable.subscribe(sum);
    stream.next(3);
    stream.next(4);
    assert.equal(sum.total, 7);
  });

  it('emits nothing after unsubscribing, not even in the middle of a value', () => {
    const { stream, observable } = newStream();
    const seen: string[] = [];
    const second = () => observable.subscribe((value) => seen.push(`second ${value}`));
    observable.subscribe((value) => {
      seen.push(`first ${value}`);
      late.unsubscribe();
    });
    const late = second();
    stream.next(1);
    stream.next(2);
    assert.deepEqual(seen, ['first 1', 'first 2']);
    assert.equal(late.closed, true);
  });

  it('knows whether it has subscribers', () => {
    const { stream, observable } = newStream();
    assert.equal(stream.observed, false);
    const subscription = observable.pipe(map(String)).subscribe();
    assert.equal(stream.observed, true);
    subscription.unsubscribe();
    assert.equal(stream.observed, false);
  });

  it('completes at once for a subscriber that arrives after the end', () => {
    const { stream, observable } = newStream();
    const seen: string[] = [];
    stream.complete();
    stream.next(1);
    observable.subscribe({ next: () => seen.push('value'), complete: () => seen.push('end') });
    assert.deepEqual(seen, ['end']);
  });

  it('keeps the guard behind operators', async () => {
    const { stream, reported, observable } = newStream();
    const seen: number[] = [];
    const even = observable.pipe(
      filter((value) => value % 2 === 0),
      map((value) => value * 10),
    );
    even.subscribe((value) => seen.push(value));
    even.subscribe(fail);
    even.pipe(take(1)).subscribe(async () => fail());
    observable.pipe(share()).subscribe(fail);
    for (const value of [1, 2, 3, 4]) stream.next(value);
    await turns(2);
    assert.deepEqual(seen, [20, 40]);
    assert.equal(reported.length, 2 + 1 + 4);
  });

  it('reports what an operator throws, and passes it to an error handler if there is one', () => {
    const { stream, reported, observable } = newStream();
    const errors: unknown[] = [];
    observable.pipe(tap(fail)).subscribe(() => {});
    observable.pipe(map(fail)).subscribe({ error: (error) => errors.push(error) });
    observable.pipe(mergeMap(fail)).subscribe({ error: fail });
    stream.next(1);
    stream.next(2);
    assert.deepEqual(errors, [boom]);
    assert.deepEqual(reported, [boom, boom]);
  });

  it('reports whatever an operator throws, even what cannot be printed', () => {
    for (const thrown of ['text', null, undefined, Symbol('s'), Object.create(null)]) {
      const { stream, reported, observable } = newStream();
      const throwIt = map(() => {
        throw thrown;
      });
      observable.pipe(throwIt).subscribe();
      stream.next(1);
      assert.equal(reported.length, 1);
      assert.ok(reported[0] instanceof Error);
    }
  });

  it('can be awaited', async () => {
    const { stream, observable } = newStream();
    const first = firstValueFrom(observable.pipe(filter((value) => value > 1)));
    for (const value of [1, 2, 3]) stream.next(value);
    assert.equal(await first, 2);
    const nothing = firstValueFrom(observable, { defaultValue: 'nothing' });
    stream.complete();
    assert.equal(await nothing, 'nothing');
  });

  it('keeps the other subscribers when an operator throws', () => {
    const { stream, observable } = newStream();
    const seen: number[] = [];
    observable.pipe(map(fail)).subscribe({ error: () => {} });
    observable.subscribe((value) => seen.push(value));
    stream.next(1);
    stream.next(2);
    assert.deepEqual(seen, [1, 2]);
  });

  it('works with what RxJS has besides pipe and subscribe', async () => {
    const { stream, reported, observable } = newStream();
    const seen: unknown[] = [];
    assert.ok(observable instanceof Observable);
    assert.equal(from(observable), observable);
    assert.equal(observable.pipe(), observable);
    const replayed = observable.pipe(shareReplay(1));
    replayed.subscribe((value) => seen.push(['replayed', value]));
    merge(observable, NEVER).subscribe((value) => seen.push(['merged', value]));
    NEVER.pipe(takeUntil(observable)).subscribe({ complete: () => seen.push('until') });
    const subject = new Subject<number>();
    subject.subscribe((value) => seen.push(['subject', value]));
    observable.subscribe(subject);
    const every = observable.forEach((value) => void seen.push(['each', value]));
    stream.next(1);
    replayed.subscribe((value) => seen.push(['late', value]));
    replayed.subscribe(fail);
    stream.complete();
    await every;
    assert.deepEqual(seen, [
      ...[['replayed', 1], ['merged', 1], 'until', ['subject', 1], ['each', 1]],
      ['late', 1],
    ]);
    assert.deepEqual(reported, [boom]);
  });

  it('works with the deprecated observer context of RxJS 7', (context) => {
    Object.assign(config, { useDeprecatedNextContext: true });
    context.after(() => Object.assign(config, { useDeprecatedNextContext: false }));
    const { stream, reported, observable } = newStream();
    const seen: unknown[] = [];
    observable.subscribe({ next: (value) => seen.push(value), complete: fail });
    stream.next(1);
    stream.complete();
    assert.deepEqual([seen, reported], [[1], [boom]]);
  });

  it('emits the latest value at once if it has a first one', async () => {
    const reported: Error[] = [];
    const stream = new Stream<number>((error) => reported.push(error), 1);
    assert.equal(await firstValueFrom(stream.observable), 1);
    stream.next(2);
    stream.observable.pipe(take(1)).subscribe(fail);
    assert.deepEqual([stream.observed, reported], [false, [boom]]);
    const seen: unknown[] = [];
    stream.observable.subscribe((value) => seen.push(value));
    stream.complete();
    const late = { next: (value: number) => seen.push(`late ${value}`) };
    stream.observable.subscribe({ ...late, complete: () => seen.push('end') });
    assert.deepEqual([seen, stream.observed], [[2, 'late 2', 'end'], false]);
  });

  it('never emits the current value to a subscriber that arrives during it', () => {
    const { stream, observable } = newStream();
    const seen: string[] = [];
    observable.pipe(take(1)).subscribe((value) => {
      seen.push(`first ${value}`);
      observable.subscribe((later) => seen.push(`second ${later}`));
    });
    stream.next(1);
    stream.next(2);
    assert.deepEqual(seen, ['first 1', 'second 2']);
  });

  it('reports that somebody has subscribed or left', () => {
    const observed: boolean[] = [];
    const stream = new Stream<number>(
      () => {},
      undefined,
      () => observed.push(stream.observed),
    );
    stream.observable.subscribe().unsubscribe();
    stream.observable.subscribe();
    stream.complete();
    assert.deepEqual(observed, [true, false, true, false]);
  });

  it('keeps the guard behind operators of another copy of RxJS', () => {
    const { stream, reported, observable } = newStream();
    const seen: unknown[] = [];
    const doubled = observable.pipe(mapOfAnotherCopy((value: number) => 2 * value) as never);
    doubled.subscribe(fail);
    doubled.subscribe((value) => seen.push(value));
    stream.next(1);
    assert.deepEqual([seen, reported], [[2], [boom]]);
  });

  it('leaves the result of an operator unchanged when it is not a plain Observable', () => {
    const { observable } = newStream();
    class Own extends Observable<number> {}
    const own = new Own();
    assert.equal(
      observable.pipe(() => own),
      own,
    );
    assert.equal(
      observable.pipe(() => 7 as never),
      7,
    );
  });

  it('reports a teardown that throws when it completes, and the others complete', () => {
    const { stream, reported, observable } = newStream();
    const seen: string[] = [];
    const shared = observable.pipe(share());
    // The subscriber of this one belongs to RxJS and has no guard.
    defer(() => observable)
      .pipe(finalize(fail))
      .subscribe();
    for (const stream$ of [observable, shared]) {
      stream$.pipe(finalize(fail)).subscribe();
      stream$.subscribe({ complete: () => seen.push('end') });
    }
    stream.next(1);
    stream.complete();
    assert.deepEqual(seen, ['end', 'end']);
    assert.deepEqual(
      reported.map(({ name }) => name),
      ['UnsubscriptionError', 'UnsubscriptionError', 'UnsubscriptionError'],
    );
  });

  it('reports a teardown that throws behind an error, and the others get their value', () => {
    const { stream, reported, observable } = newStream();
    const seen: number[] = [];
    const errors: unknown[] = [];
    const observer = { error: (error: unknown) => errors.push(error) };
    // The subscriber of the first belongs to RxJS and has no guard.
    for (const stream$ of [defer(() => observable), observable])
      stream$.pipe(map(fail), finalize(fail)).subscribe(observer);
    observable.subscribe((value) => seen.push(value));
    stream.next(1);
    assert.deepEqual([seen, errors], [[1], [boom, boom]]);
    assert.deepEqual(
      reported.map(({ name }) => name),
      ['UnsubscriptionError', 'UnsubscriptionError'],
    );
  });

  it('reports a teardown that throws behind a shared error, and the others get the error', () => {
    const { stream, reported, observable } = newStream();
    const errors: unknown[] = [];
    const shared = observable.pipe(map(fail), share());
    shared.pipe(finalize(fail)).subscribe({ error: () => {} });
    shared.subscribe({ error: (error) => errors.push(error) });
    stream.next(1);
    assert.deepEqual(errors, [boom]);
    assert.deepEqual(
      reported.map(({ name }) => name),
      ['UnsubscriptionError'],
    );
  });

  it('emits nothing more once it completes, not even to later completions', () => {
    const { stream, observable } = newStream();
    const seen: unknown[] = [];
    observable.subscribe({ complete: () => stream.next(1) });
    observable.subscribe({ next: (value) => seen.push(value), complete: () => seen.push('end') });
    stream.complete();
    assert.deepEqual(seen, ['end']);
  });

  it('reports a teardown that throws when it completes at once', () => {
    const { reported, observable } = newStream();
    const ended = new Observable<number>((subscriber) => {
      subscriber.add(fail);
      subscriber.complete();
    });
    observable.pipe(() => ended).subscribe();
    assert.deepEqual(
      reported.map(({ name }) => name),
      ['UnsubscriptionError'],
    );
  });

  it('lets a teardown throw to the code that unsubscribes', () => {
    const { stream, observable } = newStream();
    const subscription = observable.pipe(finalize(fail)).subscribe();
    assert.throws(() => subscription.unsubscribe(), { name: 'UnsubscriptionError' });
    assert.equal(stream.observed, false);
  });
});
