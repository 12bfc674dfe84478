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
 * `onClose` waits for `onOpen`, and the disposer runs exactly once, whichever comes last.
 */
interface Welcome {
  pending: boolean;
  dispose: Disposer | undefined;
  /** Set when it closed while `onOpen` was still at work. */
  whenSettled: (() => void) | undefined;
}

/** Runs the user's handlers, each behind a guard, in the order that was promised. */
export class Handlers<Peer, In, Out> {
  readonly #options: ResolvedOptions<Peer, In, Out>;
  readonly #observer: HandlersObserver<Connection<Peer, In, Out>>;
  readonly #wheel: TimerWheel;
  readonly #welcomes = new WeakMap<AcceptedPort, Welcome>();
  #unsettled = 0;

  constructor(
    options: ResolvedOptions<Peer, In, Out>,
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
  run<Result>(handler: HandlerName, port: AcceptedPort, call: () => Result): Result | undefined {
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
      if (dispose !== undefined) this.#welcomes.set(port, settledWelcome(dispose));
      port.tell('welcome.settled');
    }
  }

  #await(port: AcceptedPort, result: PromiseLike<unknown>): void {
    const welcome: Welcome = { pending: true, dispose: undefined, whenSettled: undefined };
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

  message(port: AcceptedPort, message: In): void {
    const { onMessage } = this.#options;
    const handle = this.handleOf(port);
    if (onMessage !== undefined) this.run('onMessage', port, () => onMessage(handle, message));
    handle.deliver(message);
  }

  closing(port: AcceptedPort, code: number, reason: string): void {
    const { onClosing } = this.#options;
    this.run('onClosing', port, () => onClosing?.(this.handleOf(port), code, reason));
  }

  closed(port: AcceptedPort, verdict: CloseVerdict): void {
    const handle = this.handleOf(port);
    handle.complete();
    const welcome = this.#welcomes.get(port);
    const conclude = () => {
      this.#watch('onClose', port, () => this.#options.onClose?.(handle, verdict));
      this.#disposeIfOver(port, welcome);
    };
    if (welcome?.pending && verdict.cause !== 'welcome-timeout') this.#postpone(welcome, conclude);
    else conclude();
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

  failed(failure: Failure): void {
    guarded(
      () => this.#options.onFailed?.(failure),
      (error) => this.errored('onFailed', error, undefined),
    );
  }

  handleOf(port: AcceptedPort): ConnectionHandle<Peer, In, Out> {
    return port.handle as ConnectionHandle<Peer, In, Out>;
  }

  #disposeIfOver(port: AcceptedPort, welcome: Welcome | undefined): void {
    if (port.verdict === undefined || welcome === undefined || welcome.pending) return;
    if (!this.#welcomes.delete(port)) return;
    const { dispose } = welcome;
    if (dispose !== undefined) this.#watch('dispose', port, dispose);
  }

  /** A look at what the user returned may throw: its properties may be getters. */
  #disposerOf(result: unknown, port: AcceptedPort): Disposer | undefined {
    return this.run('onOpen', port, () => disposerOf(result));
  }

  /** Runs a handler that a drain waits for. */
  #watch(handler: HandlerName, port: AcceptedPort, call: () => unknown): void {
    const result = this.run(handler, port, call);
    if (!isThenable(result)) return;
    this.#unsettled += 1;
    const settled = () => this.#settled();
    result.then(settled, settled);
  }

  #settled(): void {
    this.#unsettled -= 1;
    this.#observer.handlerSettled();
  }
}

function settledWelcome(dispose: Disposer): Welcome {
  return { pending: false, dispose, whenSettled: undefined };
}
