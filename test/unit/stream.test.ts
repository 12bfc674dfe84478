import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  config,
  filter,
  finalize,
  firstValueFrom,
  map,
  mergeMap,
  Observable,
  type Observer,
  share,
  take,
  tap,
} from 'rxjs';
import { Stream } from '../../src/core/stream.ts';
import { turns } from '../support/until.ts';

const boom = new Error('boom');

function fail(): never {
  throw boom;
}

/** A stream with all that it reported. */
function newStream() {
  const reported: Error[] = [];
  const stream = new Stream<number>((error) => reported.push(error));
  return { stream, reported, observable: stream.observable };
}

describe('Stream', () => {
  /** What RxJS would have thrown from a timer, which ends the process. */
  let unhandled: unknown[] = [];

  beforeEach(() => {
    unhandled = [];
    config.onUnhandledError = (error) => void unhandled.push(error);
  });

  afterEach(async () => {
    // RxJS reports from the shortest timer there is, and timers of one length fire in order.
    await new Promise((resolve) => setTimeout(resolve, 1));
    await turns();
    config.onUnhandledError = null;
    assert.deepEqual(unhandled, []);
  });

  it('gives values to functions and to observers, and completes', () => {
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

  it('reports what a subscriber throws and goes on with it and the others', () => {
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

  it('keeps this of an observer', () => {
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

  it('gives nothing more after unsubscribing, not even in the middle of a value', () => {
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

  it('knows whether anybody listens', () => {
    const { stream, observable } = newStream();
    assert.equal(stream.observed, false);
    const subscription = observable.pipe(map(String)).subscribe();
    assert.equal(stream.observed, true);
    subscription.unsubscribe();
    assert.equal(stream.observed, false);
  });

  it('completes at once for whoever comes after the end', () => {
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

  it('reports what an operator throws, and hands it to who wants to have it', () => {
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

  it('lets an operator that throws take nobody with it', () => {
    const { stream, observable } = newStream();
    const seen: number[] = [];
    observable.pipe(map(fail)).subscribe({ error: () => {} });
    observable.subscribe((value) => seen.push(value));
    stream.next(1);
    stream.next(2);
    assert.deepEqual(seen, [1, 2]);
  });

  it('reports a teardown that throws when it completes, and the others complete', () => {
    const { stream, reported, observable } = newStream();
    const seen: string[] = [];
    observable.pipe(finalize(fail)).subscribe();
    observable.subscribe({ complete: () => seen.push('end') });
    // Behind it is a subscriber of RxJS alone.
    new Observable((subscriber) => {
      observable.subscribe(subscriber);
      return fail;
    }).subscribe();
    stream.complete();
    assert.deepEqual(seen, ['end']);
    assert.deepEqual(
      reported.map(({ name }) => name),
      ['UnsubscriptionError', 'UnsubscriptionError'],
    );
  });
});
