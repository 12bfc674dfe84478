import type { Unsubscribable } from 'rxjs';

import type { MessageHandlers } from '../connection/connection-host.ts';
import type { Failure } from '../core/failure.ts';
import { guarded, type HandlerName } from '../core/guard.ts';
import type { RequestContext } from '../core/request.ts';
import type { TimerWheel } from '../core/timer-wheel.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { ResolvedOptions } from './options.ts';
import { handleOf, type Reporter } from './report.ts';

/** Releases what `onOpen` has taken for a connection. Called once, when the connection has ended. */
export type Disposer = () => unknown;

/**
 * What is still owed to a connection whose `onOpen` was called.
 *
 * `onClose` waits for `onOpen`, and the disposer waits for both. The disposer runs exactly once.
 */
interface Welcome {
  pending: boolean;
  /** Whether `onClose` has settled or its deadline has passed. */
  isOver: boolean;
  dispose: Disposer | undefined;
  /** Called with the result of the disposer, if a `release` waits for it. */
  whenDisposed?: (work: unknown) => void;
  /** Set when the connection closed before `onOpen` had settled. */
  whenSettled: (() => void) | undefined;
}

/** Releases what `authenticate` took. */
export type Release = () => unknown;

/** Runs the handlers of the application, each behind a guard, in the documented order. @internal */
export class Handlers<Peer, In, Out> implements MessageHandlers {
  readonly #options: ResolvedOptions<Peer, In, Out, unknown>;
  readonly #reporter: Reporter<Peer, In, Out>;
  readonly #wheel: TimerWheel;
  readonly #onSettled: () => void;
  readonly #welcomes = new WeakMap<InboundConnection, Welcome>();
  #unsettled = 0;

  /** @param onSettled - called when a close handler or disposer has settled, which may have been the last. */
  constructor(
    options: ResolvedOptions<Peer, In, Out, unknown>,
    reporter: Reporter<Peer, In, Out>,
    wheel: TimerWheel,
    onSettled: () => void,
  ) {
    this.#options = options;
    this.#reporter = reporter;
    this.#wheel = wheel;
    this.#onSettled = onSettled;
  }

  /** Close handlers and disposers that have not settled. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Runs a handler of one connection. If it throws, the connection ends, unless `onHandlerError` keeps it. */
  run<Result>(
    handler: HandlerName,
    connection: InboundConnection | undefined,
    call: () => Result,
  ): Result | undefined {
    return guarded(call, (error) => this.errored(handler, error, connection));
  }

  opened(connection: InboundConnection): void {
    const { onOpen } = this.#options;
    const handle = handleOf<Peer, In, Out>(connection);
    const result = this.run('onOpen', connection, () => onOpen?.(handle));
    if (result instanceof Promise) this.#await(connection, result);
    else {
      const dispose = this.#disposerOf(result, connection);
      if (dispose !== undefined) this.#welcomes.set(connection, newWelcome(dispose, false));
      connection.side.settleWelcome();
    }
  }

  #await(connection: InboundConnection, result: PromiseLike<unknown>): void {
    const welcome = newWelcome(undefined, true);
    this.#welcomes.set(connection, welcome);
    connection.side.awaitWelcome();
    const settle = (result: unknown) => {
      welcome.pending = false;
      welcome.dispose = this.#disposerOf(result, connection);
      connection.side.settleWelcome();
      if (welcome.whenSettled === undefined) this.#disposeIfOver(connection, welcome);
      else welcome.whenSettled();
    };
    result.then(settle, () => settle(undefined));
  }

  /** Runs `onMessage` and returns its result: a promise while an async handler works. */
  message(connection: InboundConnection, message: In): unknown {
    const { onMessage } = this.#options;
    const handle = handleOf<Peer, In, Out>(connection);
    const work = onMessage && this.run('onMessage', connection, () => onMessage(handle, message));
    handle.deliver(message);
    return work;
  }

  get handlesRequests(): boolean {
    return this.#options.onRequest !== undefined;
  }

  /** Runs `onRequest`. Returns and throws what it does. */
  request(connection: InboundConnection, request: unknown, context: RequestContext): unknown {
    return this.#options.onRequest?.(handleOf<Peer, In, Out>(connection), request, context);
  }

  errored(handler: HandlerName, error: Error, connection: InboundConnection | undefined): void {
    this.#reporter.errored(handler, error, connection);
  }

  closing(connection: InboundConnection, code: number, reason: string): void {
    const { onClosing } = this.#options;
    this.run('onClosing', connection, () =>
      onClosing?.(handleOf<Peer, In, Out>(connection), code, reason),
    );
  }

  /** @param release - runs last. */
  closed(connection: InboundConnection, verdict: CloseVerdict, release?: Release): void {
    const handle = handleOf<Peer, In, Out>(connection);
    handle.complete();
    const welcome = this.#welcomes.get(connection);
    const conclude = () => {
      const closing = this.#watch('onClose', connection, () =>
        this.#options.onClose?.(handle, verdict),
      );
      if (release === undefined && !isOwed(welcome)) return;
      this.#after(closing, () => this.#giveBack(connection, welcome, release));
    };
    if (welcome?.pending && verdict.cause !== 'welcome-timeout') this.#postpone(welcome, conclude);
    else conclude();
  }

  /** Runs the disposer, then `release`. If `onOpen` has not settled, the disposer runs when it does. */
  #giveBack(
    connection: InboundConnection,
    welcome: Welcome | undefined,
    release: Release | undefined,
  ): void {
    if (welcome !== undefined) welcome.isOver = true;
    const disposing = this.#disposeIfOver(connection, welcome);
    if (release === undefined) return;
    this.#after(welcome?.pending ? disposed(welcome) : disposing, () => this.release(release));
  }

  /** Waits until `onOpen` has settled, for `welcomeMs` at most, as on an open connection. */
  #postpone(welcome: Welcome, conclude: () => void): void {
    this.#unsettled += 1;
    const proceed = () => {
      this.#wheel.cancel(deadline);
      welcome.whenSettled = undefined;
      conclude();
      this.#settled();
    };
    const { welcomeMs } = this.#options.timeouts;
    const deadline = this.#wheel.schedule(welcomeMs, { deadlinePassed: proceed }, 'welcome');
    welcome.whenSettled = proceed;
  }

  /** @param release - runs last. */
  failed(failure: Failure, release?: Release): void {
    const { onFailed } = this.#options;
    const reporting = onFailed && this.run('onFailed', undefined, () => onFailed(failure));
    if (onFailed === undefined) this.#reporter.failureUnhandled(failure);
    if (release !== undefined) this.#after(reporting, () => this.release(release));
  }

  /** Releases what `authenticate` took for a connection that is over. */
  release(release: Release | undefined): void {
    if (release !== undefined) this.#watch('release', undefined, release);
  }

  /** Calls `run` when `work` has settled, after `welcomeMs` at the latest. */
  #after(work: unknown, run: () => void): void {
    if (!(work instanceof Promise)) {
      run();
      return;
    }
    this.#unsettled += 1;
    let isDue = true;
    const proceed = () => {
      if (!isDue) return;
      isDue = false;
      this.#wheel.cancel(deadline);
      run();
      this.#settled();
    };
    const { welcomeMs } = this.#options.timeouts;
    const deadline = this.#wheel.schedule(welcomeMs, { deadlinePassed: proceed }, 'after');
    work.then(proceed, proceed);
  }

  #disposeIfOver(connection: InboundConnection, welcome: Welcome | undefined): unknown {
    if (welcome === undefined || welcome.pending || !welcome.isOver) return undefined;
    if (!this.#welcomes.delete(connection)) return undefined;
    const { dispose, whenDisposed } = welcome;
    const work = dispose && this.#watch('dispose', connection, dispose);
    whenDisposed?.(work);
    return work;
  }

  /** Guarded, because reading properties of the value of the application may throw: they may be getters. */
  #disposerOf(result: unknown, connection: InboundConnection): Disposer | undefined {
    return this.run('onOpen', connection, () => disposerOf(result));
  }

  /** Runs a handler that a drain waits for. Returns its result. */
  #watch(
    handler: HandlerName,
    connection: InboundConnection | undefined,
    call: () => unknown,
  ): unknown {
    const result = this.run(handler, connection, call);
    if (!(result instanceof Promise)) return result;
    this.#unsettled += 1;
    const settled = () => this.#settled();
    result.then(settled, settled);
    return result;
  }

  #settled(): void {
    this.#unsettled -= 1;
    this.#onSettled();
  }
}

/** Settles when the disposer of a pending welcome has done its work. */
function disposed(welcome: Welcome): Promise<unknown> {
  return new Promise((settle) => {
    welcome.whenDisposed = settle;
  });
}

/** Whether there is a disposer, or may be one when `onOpen` has settled. */
function isOwed(welcome: Welcome | undefined): boolean {
  return welcome?.pending === true || welcome?.dispose !== undefined;
}

function newWelcome(dispose: Disposer | undefined, pending: boolean): Welcome {
  return { pending, isOver: false, dispose, whenSettled: undefined };
}

/**
 * Makes the disposer for the result of `onOpen`: a function, an `AsyncDisposable`, a `Disposable` or an RxJS
 * `Subscription`. Returns `undefined` for anything else.
 *
 * A value that is several of these is released once, by the first in this order.
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
