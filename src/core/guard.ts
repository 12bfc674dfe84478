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
