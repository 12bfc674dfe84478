import type { Unsubscribable } from 'rxjs';

/** Releases what `onOpen` has taken for a connection. Called once, when the connection has ended. */
export type Disposer = () => unknown;

/**
 * Makes the disposer of what `onOpen` returned: a function, an `AsyncDisposable`, a `Disposable` or an RxJS `Subscription`.
 * `undefined` for anything else.
 *
 * A value that offers several of them is released once, by the first in this order.
 */
export function disposerOf(value: unknown): Disposer | undefined {
  if (typeof value === 'function') return () => value();
  if (typeof value !== 'object' || value === null) return undefined;
  const faces = value as Partial<AsyncDisposable & Disposable & Unsubscribable>;
  const release = [faces[Symbol.asyncDispose], faces[Symbol.dispose], faces.unsubscribe].find(
    (method) => typeof method === 'function',
  );
  return release && (() => release.call(value));
}
