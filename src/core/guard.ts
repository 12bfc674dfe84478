import { toError } from './errors.ts';
import { kindOf } from './wording.ts';

/** The name of the application code that threw: a handler, an option, or a subscriber of a stream. */
export type HandlerName =
  | 'authenticate'
  | 'key'
  | 'onOpen'
  | 'onMessage'
  | 'onRequest'
  | 'onClosing'
  | 'onClose'
  | 'onFailed'
  | 'onHandlerError'
  | 'dispose'
  | 'release'
  | 'where'
  | 'hosts'
  | 'origins'
  | 'addressOf'
  | 'path'
  | 'otherwise'
  | 'random'
  | 'inspect'
  | 'actor'
  | 'capture'
  | 'messages'
  | 'messages$'
  | 'events$'
  | 'bus'
  | 'durable'
  | 'topic'
  | 'topic.messages$';

/** Receives the error that guarded application code threw or rejected with. */
export type ReportThrown = (error: Error) => void;

/**
 * Runs application code so that nothing it throws, now or later, can reach a socket, a chart or the process.
 *
 * Returns its result, or `undefined` if it threw. If the result is a promise that rejects, the rejection is reported too.
 */
export function guarded<Result>(run: () => Result, report: ReportThrown): Result | undefined {
  try {
    const result = run();
    if (!isThenable(result)) return result;
    // Wrapped once, because some thenables repeat their work at each `then`.
    const promise = Promise.resolve(result);
    promise.then(undefined, (thrown: unknown) => report(toError(thrown)));
    return promise as Result;
  } catch (thrown) {
    report(toError(thrown));
    return undefined;
  }
}

/** Whether a value can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Handles the rejection of a promise that nothing waits for. Ignores any other value. */
export function ignoreRejection(value: unknown): void {
  if (isThenable(value)) value.then(undefined, () => {});
}

/**
 * Returns a value that the application returned synchronously. @throws TypeError for a promise, which the caller cannot wait
 * for
 */
export function settledNow<Value>(what: string, value: Value): Value {
  if (!isThenable(value)) return value;
  ignoreRejection(value);
  throw new TypeError(`${what} must not be async`);
}

/** The chance that is used when the `random` of the application returns none. */
const EVEN_CHANCE = 0.5;

/**
 * Calls the `random` of the application, which returns a number from 0 to 1. Reports an error or any other result and then
 * returns 0.5.
 */
export function chanceOf(random: () => number, report: ReportThrown): number {
  let hasThrown = false;
  const chance: unknown = guarded(random, (error) => {
    hasThrown = true;
    report(error);
  });
  if (typeof chance === 'number' && chance >= 0 && chance <= 1) return chance;
  if (!hasThrown) {
    report(new RangeError(`random must return a number from 0 to 1, not ${kindOf(chance)}`));
  }
  return EVEN_CHANCE;
}

/**
 * Calls `run` for each item, even if a call throws.
 *
 * @throws what a call threw, after the last one; an `AggregateError` if several threw.
 */
export function runEach<Item extends NonNullable<unknown>>(
  items: readonly Item[],
  run: (item: Item) => void,
): void {
  let index = 0;
  runAll(() => items[index++], run);
}

/**
 * Calls `run` for each item that `next` returns, until it returns none. A call that throws does not end the loop.
 *
 * @throws what a call threw, after the last one; an `AggregateError` if several threw.
 */
export function runAll<Item extends NonNullable<unknown>>(
  next: () => Item | undefined,
  run: (item: Item) => void,
): void {
  const thrown: unknown[] = [];
  for (let item = next(); item !== undefined; item = next()) {
    try {
      run(item);
    } catch (error) {
      thrown.push(error);
    }
  }
  if (thrown.length > 0) throw oneErrorOf(thrown);
}

function oneErrorOf(thrown: readonly unknown[]): unknown {
  const [first] = thrown;
  if (thrown.length === 1) return first;
  const message = `${thrown.length} errors, the first of them: ${toError(first).message}`;
  return new AggregateError(thrown, message);
}

/**
 * The callbacks of each signal. A signal has one listener for all of them, because Node.js warns of a leak from the eleventh
 * listener on.
 */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `aborted` when the signal aborts. Returns a function that stops this. Does nothing if the signal has already aborted.
 */
export function whenAborted(signal: AbortSignal, aborted: () => void): () => void {
  const known = waiting.get(signal);
  const all = known ?? new Set();
  if (known === undefined) waiting.set(signal, all);
  // Also true after all earlier callbacks have left, which removed the listener.
  if (all.size === 0) signal.addEventListener('abort', notifyAll);
  all.add(aborted);
  return () => {
    if (all.delete(aborted) && all.size === 0) signal.removeEventListener('abort', notifyAll);
  };
}

function notifyAll(event: Event): void {
  runEach([...(waiting.get(event.target as AbortSignal) ?? [])], (aborted) => aborted());
}
