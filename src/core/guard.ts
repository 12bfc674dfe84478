import { toError } from './errors.ts';
import { kindOf } from './wording.ts';

/** Which piece of user code threw. */
export type HandlerName =
  | 'authenticate'
  | 'key'
  | 'onOpen'
  | 'onMessage'
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
  | 'topic'
  | 'topic.messages$';

/** Receives what a guarded piece of user code threw or rejected with. */
export type ReportThrown = (error: Error) => void;

/**
 * Runs user code so that nothing it throws, now or later, can reach a socket, a chart or the process.
 *
 * Returns what it returned, or `undefined` when it threw. A promise among the results is watched.
 */
export function guarded<Result>(run: () => Result, report: ReportThrown): Result | undefined {
  try {
    const result = run();
    if (!isThenable(result)) return result;
    // One promise of our own for all who wait: some thenables do their work anew at each `then`.
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

/** Handles the rejection of a promise that nobody waits for. */
export function ignoreRejection(promise: PromiseLike<unknown>): void {
  promise.then(undefined, () => {});
}

/** What is taken for a chance that the user's code did not give. */
const EVEN_CHANCE = 0.5;

/** A number from 0 to 1 that the user's `random` gives. What it throws, or gives instead, is reported. */
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
 * Calls `run` for each item. A call that throws does not cost the other items their turn.
 *
 * @throws what a call threw, after the last one; an `AggregateError` when several threw.
 */
export function runEach<Item extends NonNullable<unknown>>(
  items: readonly Item[],
  run: (item: Item) => void,
): void {
  let index = 0;
  runAll(() => items[index++], run);
}

/**
 * Calls `run` for each item that `next` takes, until it has none. A call that throws does not end the loop.
 *
 * @throws what a call threw, after the last one; an `AggregateError` when several threw.
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

/** Who waits for a signal. One listener for all of them: Node.js warns of a leak from the eleventh on. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `aborted` when the signal aborts, until what it returns is called. One that has aborted already calls nobody. */
export function whenAborted(signal: AbortSignal, aborted: () => void): () => void {
  const known = waiting.get(signal);
  const all = known ?? new Set();
  if (known === undefined) waiting.set(signal, all);
  // It is added again when all have left meanwhile.
  if (all.size === 0) signal.addEventListener('abort', notifyAll);
  all.add(aborted);
  return () => {
    if (all.delete(aborted) && all.size === 0) signal.removeEventListener('abort', notifyAll);
  };
}

function notifyAll(event: Event): void {
  runEach([...(waiting.get(event.target as AbortSignal) ?? [])], (aborted) => aborted());
}
