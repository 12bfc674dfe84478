import type { AnyActorRef } from 'xstate';
import type { ClientFact, DelayName } from '../../machines/client-contract.ts';
import type { SharedRuntime } from '../connection/connection-host.ts';
import { inspected } from '../connection/inspection.ts';
import type { ChildActor, Parent } from '../connection/parent.ts';
import { whenAborted } from '../core/abort.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { DialedConnection } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { guarded } from '../core/guard.ts';
import type { Deadline, DeadlineOwner, WakeListener } from '../core/timer-wheel.ts';
import type { DialTarget } from '../transport/outbound-transport.ts';
import { type ChartedClient, type ClientChart, clientChart } from './client-chart.ts';
import type { ClientDependencies } from './client-dependencies.ts';
import { crashed, defaultCloseFrame, idle, isSame, warnIfLost } from './client-status.ts';
import { ClientStreams } from './client-streams.ts';
import type { ClientState, ClientStatus, DropReason, Ending, GaveUp } from './client-types.ts';
import { Dialer, type DialerHost } from './dialer.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { OutboundOutbox } from './outbound-outbox.ts';
import type { Platform } from './platform.ts';
import type { ReconnectPolicy } from './reconnect/reconnect-policy.ts';
import { addressIn } from './reconnect/target.ts';
import { Sender, type SenderHost } from './sender.ts';
import { Teller, type TellerOwner } from './teller.ts';

/** What is behind a client: it gives its chart the facts and carries out the chart's orders. */
export class SupervisedClient<In, Out>
  implements
    ChartedClient,
    DialerHost<In, Out>,
    SenderHost<Out>,
    WakeListener,
    DeadlineOwner,
    ChildActor,
    TellerOwner<ClientFact['type']>
{
  readonly context: SharedRuntime;
  readonly options: ResolvedClientOptions<In, Out>;
  readonly contract: Contract<In, Out, unknown>;
  readonly platform: Platform;
  readonly parent: Parent | null;
  readonly streams: ClientStreams<In>;

  readonly #chart: ClientChart;
  readonly #dialer: Dialer<In, Out>;
  readonly #reconnectPolicy: ReconnectPolicy;
  readonly #teller = new Teller<ClientFact['type']>(this);
  /** Made for the first message: many clients only listen. */
  #sender: Sender<Out> | null = null;
  readonly #stopWatching: () => void;
  /** What is only made for whoever waits for the end, or gave a signal: a client that lives needs neither. */
  #stopped: Promise<void> | null = null;
  #whenStopped: (() => void) | null = null;
  readonly #ignoreSignal: (() => void) | null;
  #status: ClientStatus;
  #delayMs: number | undefined;
  #delay: Deadline | null = null;
  #closeFrame: CloseFrame = defaultCloseFrame;
  #letProcessEnd: (() => void) | null = null;
  #gaveUp: GaveUp | undefined;
  #isOffline = false;
  /** The chart has come to its end, and that is still to be told. */
  #isFinished = false;
  #isComplete = false;

  constructor(parts: ClientDependencies<In, Out>) {
    const { options, context, parent, platform } = parts;
    this.options = options;
    this.context = context;
    this.contract = parts.contract;
    this.platform = platform;
    this.parent = parent;
    this.#status = idle;
    this.streams = new ClientStreams(idle, platform.warnings);
    this.#reconnectPolicy = parts.makeReconnectPolicy(this.streams);
    this.#dialer = new Dialer(this, parts.url);
    this.#chart = clientChart(this, {
      parent,
      ...inspected(options.inspect, this.streams.report('inspect')),
    });
    const abort = () => this.#send('stop.requested');
    this.#ignoreSignal = options.signal ? whenAborted(options.signal, abort) : null;
    context.wheel.whenWoken.add(this);
    this.#stopWatching = platform.watchHost({
      networkLost: () => this.#network(true),
      networkReturned: () => this.#network(false),
      onWake: () => this.onWake(),
    });
    const isWelcome = parent === null || parent.adopt(this);
    if (options.signal?.aborted || !isWelcome) abort();
    // Not at once: whoever made it must be able to listen before the first attempt fails.
    else context.clock.afterPoll(() => this.#send('dial.requested'));
  }

  get kind(): 'client' {
    return 'client';
  }

  /** The parent of its connections. */
  get actor(): AnyActorRef {
    return this.#chart.actor;
  }

  /** Where it dialed last. */
  get url(): string {
    return this.#dialer.url;
  }

  /** The host that it dialed last. */
  get address(): string {
    return addressIn(this.url);
  }

  get state(): ClientState {
    return this.#status.state;
  }

  get status(): ClientStatus {
    return this.#status;
  }

  /** The connection that is open now. */
  get connection(): DialedConnection<In, Out> | undefined {
    return this.#dialer.connection;
  }

  get sender(): Sender<Out> {
    this.#sender ??= new Sender<Out>(this);
    return this.#sender;
  }

  /** Dials at once instead of waiting. Returns whether it waited. */
  dialNow(): boolean {
    if (this.state !== 'waiting') return false;
    this.#send('dial.requested');
    return true;
  }

  /** Closes what is open, gives up what is under way, and dials no more. Resolves when nothing is left. */
  stop(frame: CloseFrame): Promise<void> {
    this.#closeFrame = frame;
    this.#send('stop.requested');
    this.#stopped ??= new Promise((resolve) => {
      if (this.#isComplete) resolve();
      else this.#whenStopped = resolve;
    });
    return this.#stopped;
  }

  /** Destroys what there is of a connection. */
  terminate(): void {
    this.#dialer.terminate();
  }

  // What a sender needs.

  get isOver(): boolean {
    const { state } = this.#status;
    return state === 'stopping' || state === 'stopped' || state === 'exhausted';
  }

  get outbox(): OutboundOutbox | null {
    return this.#dialer.outbox;
  }

  messageDropped(message: unknown, reason: DropReason): void {
    this.later(() => this.streams.events.next({ type: 'message.dropped', message, reason }));
  }

  // The chart's orders.

  dial(): void {
    this.#stopDelay();
    this.#holdProcess(true);
    this.#dialer.dial();
  }

  announceUp(): void {
    this.#holdProcess(false);
  }

  /** What the application has to say first leaves before what has waited, and before anybody hears that it is up. */
  #welcome(): void {
    const { onOpen } = this.options;
    const connection = onOpen && this.connection;
    if (connection) guarded(() => onOpen?.(connection), this.streams.report('onOpen'));
  }

  resetBackoff(): void {
    this.#reconnectPolicy.reset();
  }

  startDelay({ name }: { name: DelayName }): void {
    this.#stopDelay();
    const delayMs = this.#reconnectPolicy.delayMs(name);
    if (name !== 'stable') {
      this.#delayMs = delayMs;
      this.#holdProcess(true);
    }
    this.#delay = this.context.wheel.schedule(delayMs, this, name);
    if (name === 'backoff' && this.#isOffline) this.#send('network.lost');
  }

  #network(isLost: boolean): void {
    this.#isOffline = isLost;
    this.#send(isLost ? 'network.lost' : 'network.returned');
  }

  /** Back from sleep: what is open is asked, what waits need not wait; unless the peer has asked for it. */
  onWake(): void {
    const { delayAwakeMs } = this.#reconnectPolicy;
    if (this.#delay === null || !this.#status.states.includes('waiting.backoff')) {
      this.#send('wake.noticed');
    } else if (delayAwakeMs !== null) {
      this.context.wheel.postpone(this.#delay, delayAwakeMs);
      this.#delayMs = delayAwakeMs;
      this.#teller.settle();
    }
  }

  probe(): void {
    this.#dialer.probe();
  }

  endConnection(): void {
    this.#stopDelay();
    this.#dialer.end(this.#closeFrame);
  }

  finish(): void {
    this.#stopDelay();
    this.#holdProcess(false);
    this.#ignoreSignal?.();
    this.context.wheel.whenWoken.delete(this);
    this.#stopWatching();
    this.#sender?.clear();
    this.#isFinished = true;
  }

  deadlinePassed(name: string): void {
    this.#delay = null;
    const moreMs = name === 'stable' ? 0 : this.#reconnectPolicy.holdMs;
    if (moreMs > 0) this.#delay = this.context.wheel.schedule(moreMs, this, name);
    else this.#send('deadline.passed');
  }

  // What the dialer needs, and tells.

  target(): DialTarget | Promise<DialTarget> {
    return this.#reconnectPolicy.target();
  }

  attemptOpened(reportOpen: () => void): void {
    this.#reconnectPolicy.opened();
    this.#teller.add(() => this.#welcome());
    this.#teller.add(reportOpen);
    this.#send('connection.opened');
  }

  attemptFlows(): void {
    this.#sender?.sendQueued();
  }

  attemptEnded(ending: Ending, reportEnd: () => void): void {
    this.#stopDelay();
    // Told when the chart knows: whoever hears of it finds the client in the state that follows.
    this.#teller.add(reportEnd);
    const fact = this.#reconnectPolicy.judge(ending, this.context.clock.now());
    this.#gaveUp = fact === 'restarts.exceeded' ? 'restarts' : 'refused';
    this.#send(fact);
  }

  later(news: () => void): void {
    this.#teller.later(news);
  }

  #stopDelay(): void {
    this.#delay = this.context.wheel.cancel(this.#delay);
    this.#delayMs = undefined;
  }

  /** Timers do not keep a process alive; somebody who waits for the next attempt wants it to live. */
  #holdProcess(holds: boolean): void {
    if (holds === (this.#letProcessEnd !== null)) return;
    this.#letProcessEnd?.();
    this.#letProcessEnd = holds ? this.platform.holdProcess() : null;
  }

  // Telling.

  #send(type: ClientFact['type']): void {
    this.#teller.send(type);
  }

  take(type: ClientFact['type']): void {
    this.#chart.send(type);
  }

  settled(): void {
    const status = this.#describe();
    if (!isSame(status, this.#status)) {
      this.#status = status;
      this.#teller.add(() => {
        this.streams.moved(status);
        this.parent?.childMoved(this);
        warnIfLost(this, status);
      });
    }
    if (this.#isFinished) {
      this.#isFinished = false;
      this.#teller.add(() => this.#complete());
    }
  }

  /** The chart itself threw: there is nobody left to decide anything. */
  crashed(error: Error): void {
    this.streams.report('client')(error);
    this.terminate();
    this.finish();
    this.#gaveUp = 'crash';
    this.#teller.settle();
  }

  #complete(): void {
    this.streams.complete();
    this.#isComplete = true;
    this.parent?.release(this);
    this.#whenStopped?.();
  }

  #describe(): ClientStatus {
    const states = this.#gaveUp === 'crash' ? crashed : this.#chart.states;
    const state = (states[0] ?? 'idle') as ClientState;
    return {
      state,
      states,
      attempts: this.#dialer.attempts,
      ending: this.#reconnectPolicy.ending,
      delayMs: this.#delayMs,
      gaveUp: state === 'exhausted' ? this.#gaveUp : undefined,
    };
  }
}
