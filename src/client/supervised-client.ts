import type { AnyActorRef } from 'xstate';
import type { ClientFact, DelayName } from '../../machines/client-contract.ts';
import { inspected } from '../connection/inspection.ts';
import type { ChildActor, Parent } from '../connection/parent.ts';
import type { PortContext } from '../connection/port-host.ts';
import { whenAborted } from '../core/abort.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { DialedConnection } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { guarded } from '../core/guard.ts';
import type { Deadline, DeadlineOwner, Sleeper } from '../core/timer-wheel.ts';
import { type ChartedClient, type ClientChart, clientChart } from './client-chart.ts';
import type { ClientParts } from './client-parts.ts';
import { crashed, farewell, idle, isSame, warnIfLost } from './client-status.ts';
import { ClientStreams } from './client-streams.ts';
import type { ClientState, ClientStatus, DropReason, Ending, GaveUp } from './client-types.ts';
import type { DialedOutbox } from './dialed-outbox.ts';
import { Dialer, type DialerHost } from './dialer.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import type { Redial } from './redial.ts';
import { Sender, type SenderHost } from './sender.ts';
import { addressIn, type DialTarget } from './target.ts';
import { Teller, type TellerOwner } from './teller.ts';

/** What is behind a client: it gives its chart the facts and carries out the chart's orders. */
export class SupervisedClient<In, Out>
  implements
    ChartedClient,
    DialerHost<In, Out>,
    SenderHost<Out>,
    Sleeper,
    DeadlineOwner,
    ChildActor,
    TellerOwner<ClientFact['type']>
{
  readonly context: PortContext;
  readonly options: ResolvedClientOptions<In, Out>;
  readonly contract: Contract<In, Out, unknown>;
  readonly platform: Platform;
  readonly parent: Parent | null;
  readonly streams: ClientStreams<In>;

  readonly #chart: ClientChart;
  readonly #dialer: Dialer<In, Out>;
  readonly #redial: Redial;
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
  #closeFrame: CloseFrame = farewell;
  #letProcessEnd: (() => void) | null = null;
  #gaveUp: GaveUp | undefined;
  #isOffline = false;
  /** The chart has come to its end, and that is still to be told. */
  #isFinished = false;
  #isComplete = false;

  constructor(parts: ClientParts<In, Out>) {
    const { options, context, parent, platform } = parts;
    this.options = options;
    this.context = context;
    this.contract = parts.contract;
    this.platform = platform;
    this.parent = parent;
    this.#status = idle;
    this.streams = new ClientStreams(idle);
    this.#redial = parts.makeRedial(this.streams);
    this.#dialer = new Dialer(this, parts.url);
    this.#chart = clientChart(this, {
      parent,
      ...inspected(options.inspect, this.streams.report('inspect')),
    });
    const abort = () => this.#tell('stop.requested');
    this.#ignoreSignal = options.signal ? whenAborted(options.signal, abort) : null;
    context.wheel.whenWoken.add(this);
    this.#stopWatching = platform.watchSigns({
      networkLost: () => this.#network(true),
      networkReturned: () => this.#network(false),
      woke: () => this.woke(),
    });
    const isWelcome = parent === null || parent.adopt(this);
    if (options.signal?.aborted || !isWelcome) abort();
    // Not at once: whoever made it must be able to listen before the first attempt fails.
    else context.clock.afterPoll(() => this.#tell('dial.requested'));
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
    this.#tell('dial.requested');
    return true;
  }

  /** Closes what is open, gives up what is under way, and dials no more. Resolves when nothing is left. */
  stop(frame: CloseFrame): Promise<void> {
    this.#closeFrame = frame;
    this.#tell('stop.requested');
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

  get outbox(): DialedOutbox | null {
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
    this.#redial.reset();
  }

  startDelay({ name }: { name: DelayName }): void {
    this.#stopDelay();
    const delayMs = this.#redial.delayMs(name);
    if (name !== 'stable') {
      this.#delayMs = delayMs;
      this.#holdProcess(true);
    }
    this.#delay = this.context.wheel.schedule(delayMs, this, name);
    if (name === 'backoff' && this.#isOffline) this.#tell('network.lost');
  }

  #network(isLost: boolean): void {
    this.#isOffline = isLost;
    this.#tell(isLost ? 'network.lost' : 'network.returned');
  }

  /** Back from sleep: what is open is asked, what waits need not wait; unless the peer has asked for it. */
  woke(): void {
    const { delayAwakeMs } = this.#redial;
    if (this.#delay === null || !this.#status.states.includes('waiting.backoff')) {
      this.#tell('wake.noticed');
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
    const moreMs = name === 'stable' ? 0 : this.#redial.holdMs;
    if (moreMs > 0) this.#delay = this.context.wheel.schedule(moreMs, this, name);
    else this.#tell('deadline.passed');
  }

  // What the dialer needs, and tells.

  target(): DialTarget | Promise<DialTarget> {
    return this.#redial.target();
  }

  attemptOpened(tellOpen: () => void): void {
    this.#redial.opened();
    this.#teller.add(() => this.#welcome());
    this.#teller.add(tellOpen);
    this.#tell('connection.opened');
  }

  attemptFlows(): void {
    this.#sender?.sendQueued();
  }

  attemptEnded(ending: Ending, tellEnd: () => void): void {
    this.#stopDelay();
    // Told when the chart knows: whoever hears of it finds the client in the state that follows.
    this.#teller.add(tellEnd);
    const fact = this.#redial.judge(ending, this.context.clock.now());
    this.#gaveUp = fact === 'restarts.exceeded' ? 'restarts' : 'refused';
    this.#tell(fact);
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

  #tell(type: ClientFact['type']): void {
    this.#teller.tell(type);
  }

  take(type: ClientFact['type']): void {
    this.#chart.tell(type);
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
      ending: this.#redial.ending,
      delayMs: this.#delayMs,
      gaveUp: state === 'exhausted' ? this.#gaveUp : undefined,
    };
  }
}
