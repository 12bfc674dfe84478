import type { AnyActorRef } from 'xstate';
import { countInvalid } from '../connection/invalid-messages.ts';
import type { Parent } from '../connection/parent.ts';
import type { Port } from '../connection/port.ts';
import type { PortContext, PortReport } from '../connection/port-host.ts';
import type { TimerHandle } from '../core/clock.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { guarded } from '../core/guard.ts';
import type { ClientStreams } from './client-streams.ts';
import type { Ending } from './client-types.ts';
import { DialedHandle, type DialedHandleHost } from './dialed-handle.ts';
import type { DialedOutbox } from './dialed-outbox.ts';
import { DialedPort, type DialedPortHost } from './dialed-port.ts';
import type { DialedWire, DialObserver } from './dialed-wire.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import type { DialTarget } from './target.ts';

/** What a dialer needs of its client, and tells it. */
export interface DialerHost<In, Out> {
  /** The parent of its connections. */
  readonly actor: AnyActorRef;
  readonly context: PortContext;
  readonly contract: Contract<In, Out, unknown>;
  readonly platform: Platform;
  readonly parent: Parent | null;
  readonly streams: ClientStreams<In>;
  readonly options: Pick<ResolvedClientOptions<In, Out>, 'onMessage'>;
  /** Where the attempt that begins now goes. May throw or reject. */
  target(): DialTarget | Promise<DialTarget>;
  /** It opened; `tellOpen` tells the parent. */
  attemptOpened(tellOpen: () => void): void;
  /** It takes messages again. */
  attemptFlows(): void;
  /** How it came to its end; `tellEnd` tells user code. */
  attemptEnded(ending: Ending, tellEnd: () => void): void;
  /** Runs what reaches user code once no transition is under way. */
  later(news: () => void): void;
}

/** Makes the attempts of one client, one at a time, and owns the port of the one that there is. */
export class Dialer<In, Out> implements DialedPortHost, DialedHandleHost<Out> {
  /** Where it dialed last. */
  url: string;

  readonly #host: DialerHost<In, Out>;
  #port: DialedPort | null = null;
  /** The port that may be sent what has waited. */
  #usable: DialedPort | null = null;
  /** Until its first turn is over. */
  #turn: TimerHandle | null = null;
  #attempts = 0;

  /** @param url - what is known of it before the first attempt. */
  constructor(host: DialerHost<In, Out>, url: string) {
    this.#host = host;
    this.url = url;
  }

  /** Attempts so far. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Where messages go right now. */
  get outbox(): DialedOutbox | null {
    return this.#port === this.#usable ? (this.#port?.messages ?? null) : null;
  }

  /** The connection that is open now. */
  get connection(): DialedHandle<In, Out> | undefined {
    return this.#port?.isOpen ? this.#handleOf(this.#port) : undefined;
  }

  dial(): void {
    this.#attempts += 1;
    const port = new DialedPort(this, this.#host.parent?.nextId() ?? `a${this.#attempts}`);
    this.#port = port.isOver ? null : port;
  }

  probe(): void {
    this.#port?.probe();
  }

  /** Ends what is under way. Where nothing is it is closing by itself, and its end will be told. */
  end(frame: CloseFrame): void {
    if (!this.#port?.abort()) this.#port?.close('close', frame);
  }

  terminate(): void {
    this.#port?.terminate();
  }

  // What a port needs.

  get actor(): AnyActorRef {
    return this.#host.actor;
  }

  get context(): PortContext {
    return this.#host.context;
  }

  target(): DialTarget | Promise<DialTarget> {
    return this.#host.target();
  }

  dialsTo({ url }: DialTarget): void {
    this.url = url;
  }

  makeWire(observer: DialObserver): DialedWire {
    return this.#host.platform.makeWire(observer, this.context);
  }

  portMoved(port: Port, from: ConnectionState | null, to: ConnectionState): void {
    this.#host.parent?.portMoved(port, from, to);
  }

  randomErrored(error: Error): void {
    this.#host.later(() => this.#host.streams.report('random')(error));
  }

  portOpened(): void {}

  portQuarantined(port: Port): void {
    this.#host.parent?.portQuarantined(port);
  }

  portReported(port: DialedPort, report: PortReport): void {
    const { parent } = this.#host;
    const tell = () => parent?.portReported(port, report, this.#handleOf(port));
    if (report === 'opened') {
      this.#useLater(port);
      this.#host.attemptOpened(tell);
      return;
    }
    if (parent !== null) this.#host.later(tell);
    if (report === 'flowing') this.#host.attemptFlows();
    else if (report === 'closed' || report === 'failed') this.#ended(port);
  }

  /**
   * Lets the client send one turn after open: a server that refuses it behind the 101 has sent its close frame right
   * there, and what the client wrote before it reads that frame would be lost.
   */
  #useLater(port: DialedPort): void {
    const { clock } = this.context;
    const { turnMs } = port.wire;
    const use = () => this.#use(port);
    // The first may follow within the poll phase that brought the 101, which has not looked at all input yet.
    if (turnMs === 0) clock.afterPoll(() => clock.afterPoll(use));
    else this.#turn = clock.setTimer(turnMs, use);
  }

  peerWelcomes(port: DialedPort): void {
    if (port !== this.#usable) this.context.clock.afterPoll(() => this.#use(port));
  }

  #use(port: DialedPort): void {
    if (port !== this.#port || port === this.#usable || !port.isOpen) return;
    this.#endTurn();
    this.#usable = port;
    this.#host.attemptFlows();
  }

  #endTurn(): void {
    if (this.#turn !== null) this.context.clock.clearTimer(this.#turn);
    this.#turn = null;
  }

  messageArrived(port: DialedPort, payload: Uint8Array, isBinary: boolean): unknown {
    const intake = this.#run('messages', port, () => this.contract.read(payload, isBinary));
    if (intake === undefined) return undefined;
    if ('message' in intake) return this.#deliver(port, intake.message);
    this.#host.streams.events.next({ type: 'message.invalid', fault: intake.fault });
    if (countInvalid(port, this.context.clock.now())) port.intake.messageRefused();
    return undefined;
  }

  /** Returns what `onMessage` returned: a promise while it is at work. */
  #deliver(port: DialedPort, message: In): unknown {
    const { streams, options } = this.#host;
    const { onMessage } = options;
    const handle = (): unknown => onMessage?.(this.#handleOf(port), message);
    const work = onMessage && this.#run('onMessage', port, handle);
    streams.messages.next(message);
    this.#handleMade(port)?.deliver(message);
    return work;
  }

  /** Runs code of the user for a message. What it throws, now or later, costs the connection. */
  #run<Result>(handler: string, port: DialedPort, call: () => Result): Result | undefined {
    return guarded(call, (error) => {
      this.#host.streams.report(handler)(error);
      port.end('handler-error', error);
    });
  }

  #ended(port: DialedPort): void {
    this.#port = null;
    this.#usable = null;
    this.#endTurn();
    const { verdict, failure } = port;
    const ending: Ending | undefined =
      (verdict && { outcome: 'closed', verdict }) || (failure && { outcome: 'failed', failure });
    if (ending === undefined) return;
    this.#host.attemptEnded(ending, () => {
      this.#host.streams.ended(ending);
      this.#handleMade(port)?.complete();
    });
  }

  // What a handle needs.

  get contract(): Contract<In, Out, unknown> {
    return this.#host.contract;
  }

  reportThrown(error: Error): void {
    this.#host.streams.report('messages$')(error);
  }

  #handleOf(port: DialedPort): DialedHandle<In, Out> {
    port.handle ??= new DialedHandle<In, Out>(port, this);
    return port.handle as DialedHandle<In, Out>;
  }

  #handleMade({ handle }: DialedPort): DialedHandle<In, Out> | null {
    return handle as DialedHandle<In, Out> | null;
  }
}
