import type { Connection } from '../core/connection.ts';
import type { Failure } from '../core/failure.ts';
import { guarded, type HandlerName, isThenable } from '../core/guard.ts';
import type { TimerWheel } from '../core/timer-wheel.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { AcceptedPort } from './accepted-port.ts';
import { type Disposer, disposerOf } from './disposer.ts';
import type { ConnectionHandle } from './handle.ts';
import type { ResolvedOptions } from './options.ts';

/** What the handlers tell the supervisor they run for. */
export interface HandlersObserver<C> {
  handlerErrored(handler: HandlerName, error: Error, connection: C | undefined): void;
  /** A close handler or disposer has settled; none may be left. */
  handlerSettled(): void;
}

/**
 * What is owed to a connection whose `onOpen` was called.
 *
 * `onClose` waits for `onOpen`, and the disposer for both. It runs exactly once, whichever comes last.
 */
interface Welcome {
  pending: boolean;
  /** Whether `onClose` has settled, or has had its time. */
  isOver: boolean;
  dispose: Disposer | undefined;
  /** Called with the work of the disposer, when something is to be released after it. */
  whenDisposed?: (work: unknown) => void;
  /** Set when it closed while `onOpen` was still at work. */
  whenSettled: (() => void) | undefined;
}

/** Gives back what `authenticate` took. */
export type Release = () => unknown;

/** Runs the user's handlers, each behind a guard, in the order that was promised. */
export class Handlers<Peer, In, Out> {
  readonly #options: ResolvedOptions<Peer, In, Out, unknown>;
  readonly #observer: HandlersObserver<Connection<Peer, In, Out>>;
  readonly #wheel: TimerWheel;
  readonly #welcomes = new WeakMap<AcceptedPort, Welcome>();
  #unsettled = 0;

  constructor(
    options: ResolvedOptions<Peer, In, Out, unknown>,
    observer: HandlersObserver<Connection<Peer, In, Out>>,
    wheel: TimerWheel,
  ) {
    this.#options = options;
    this.#wheel = wheel;
    this.#observer = observer;
  }

  /** Close handlers and disposers that are still at work. */
  get unsettled(): number {
    return this.#unsettled;
  }

  /** Runs a handler of one connection. What it throws costs that connection, unless the user keeps it. */
  run<Result>(
    handler: HandlerName,
    port: AcceptedPort | undefined,
    call: () => Result,
  ): Result | undefined {
    return guarded(call, (error) => this.errored(handler, error, port));
  }

  errored(handler: HandlerName, error: Error, port: AcceptedPort | undefined): void {
    const connection = port === undefined ? undefined : this.handleOf(port);
    this.#observer.handlerErrored(handler, error, connection);
    const choice = guarded(
      () => this.#options.onHandlerError?.(error, handler, connection),
      (thrown) => this.#observer.handlerErrored('onHandlerError', thrown, connection),
    );
    if (choice !== 'keep') port?.end('handler-error', error);
  }

  opened(port: AcceptedPort): void {
    const { onOpen } = this.#options;
    const connection = this.handleOf(port);
    const result = this.run('onOpen', port, () => onOpen?.(connection));
    if (isThenable(result)) this.#await(port, result);
    else {
      const dispose = this.#disposerOf(result, port);
      if (dispose !== undefined) this.#welcomes.set(port, newWelcome(dispose, false));
      port.tell('welcome.settled');
    }
  }

  #await(port: AcceptedPort, result: PromiseLike<unknown>): void {
    const welcome = newWelcome(undefined, true);
    this.#welcomes.set(port, welcome);
    port.awaitWelcome();
    const settle = (result: unknown) => {
      welcome.pending = false;
      welcome.dispose = this.#disposerOf(result, port);
      port.tell('welcome.settled');
      if (welcome.whenSettled === undefined) this.#disposeIfOver(port, welcome);
      else welcome.whenSettled();
    };
    result.then(settle, () => settle(undefined));
  }

  /** Returns what `onMessage` returned: a promise while it is at work. */
  message(port: AcceptedPort, message: In): unknown {
    const { onMessage } = this.#options;
    const handle = this.handleOf(port);
    const work = onMessage && this.run('onMessage', port, () => onMessage(handle, message));
    handle.deliver(message);
    return work;
  }

  closing(port: AcceptedPort, code: number, reason: string): void {
    const { onClosing } = this.#options;
    this.run('onClosing', port, () => onClosing?.(this.handleOf(port), code, reason));
  }

  /** @param release - runs last of all. */
  closed(port: AcceptedPort, verdict: CloseVerdict, release?: Release): void {
    const handle = this.handleOf(port);
    handle.complete();
    const welcome = this.#welcomes.get(port);
    const conclude = () => {
      const closing = this.#watch('onClose', port, () => this.#options.onClose?.(handle, verdict));
      if (release === undefined && !isOwed(welcome)) return;
      this.#after(closing, () => this.#giveBack(port, welcome, release));
    };
    if (welcome?.pending && verdict.cause !== 'welcome-timeout') this.#postpone(welcome, conclude);
    else conclude();
  }

  /** Runs the disposer, then `release`. An `onOpen` that is still at work runs the disposer when it settles. */
  #giveBack(port: AcceptedPort, welcome: Welcome | undefined, release: Release | undefined): void {
    if (welcome !== undefined) welcome.isOver = true;
    const disposing = this.#disposeIfOver(port, welcome);
    if (release === undefined) return;
    this.#after(welcome?.pending ? disposed(welcome) : disposing, () => this.release(release));
  }

  /** Waits for `onOpen` to settle, but not longer than it would have been given on an open connection. */
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

  /** @param release - runs last of all. */
  failed(failure: Failure, release?: Release): void {
    const telling = guarded(
      () => this.#options.onFailed?.(failure),
      (error) => this.errored('onFailed', error, undefined),
    );
    if (release !== undefined) this.#after(telling, () => this.release(release));
  }

  /** Gives back what `authenticate` took for a connection that is over. */
  release(release: Release | undefined): void {
    if (release !== undefined) this.#watch('release', undefined, release);
  }

  /** Goes on when work on the end of a connection has settled, but waits no longer than for an `onOpen`. */
  #after(work: unknown, run: () => void): void {
    if (!isThenable(work)) {
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

  handleOf(port: AcceptedPort): ConnectionHandle<Peer, In, Out> {
    return port.handle as ConnectionHandle<Peer, In, Out>;
  }

  #disposeIfOver(port: AcceptedPort, welcome: Welcome | undefined): unknown {
    if (welcome === undefined || welcome.pending || !welcome.isOver) return undefined;
    if (!this.#welcomes.delete(port)) return undefined;
    const { dispose, whenDisposed } = welcome;
    const work = dispose && this.#watch('dispose', port, dispose);
    whenDisposed?.(work);
    return work;
  }

  /** A look at what the user returned may throw: its properties may be getters. */
  #disposerOf(result: unknown, port: AcceptedPort): Disposer | undefined {
    return this.run('onOpen', port, () => disposerOf(result));
  }

  /** Runs a handler that a drain waits for, and returns what it returned. */
  #watch(handler: HandlerName, port: AcceptedPort | undefined, call: () => unknown): unknown {
    const result = this.run(handler, port, call);
    if (!isThenable(result)) return result;
    this.#unsettled += 1;
    const settled = () => this.#settled();
    result.then(settled, settled);
    return result;
  }

  #settled(): void {
    this.#unsettled -= 1;
    this.#observer.handlerSettled();
  }
}

/** Settles when the disposer of a welcome that is still pending has done its work. */
function disposed(welcome: Welcome): Promise<unknown> {
  return new Promise((settle) => {
    welcome.whenDisposed = settle;
  });
}

/** Whether there is something to release, or may be once `onOpen` has settled. */
function isOwed(welcome: Welcome | undefined): boolean {
  return welcome?.pending === true || welcome?.dispose !== undefined;
}

function newWelcome(dispose: Disposer | undefined, pending: boolean): Welcome {
  return { pending, isOver: false, dispose, whenSettled: undefined };
}
