import type { ClientFact, ClientOrders, DelayName } from '../../machines/client-contract.ts';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ChartOwner, ChartRunner } from '../chart/runner.ts';
import { clientTable } from '../chart/tables/client.ts';
import type { SharedRuntime } from '../connection/connection-host.ts';
import type { ChildActor, Parent } from '../connection/parent.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { DialedConnection } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { guarded, whenAborted } from '../core/guard.ts';
import type { Deadline, DeadlineOwner, WakeListener } from '../core/timer-wheel.ts';
import type { DialTarget } from '../transport/transport.ts';
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

/** What is behind a client: it gives its chart the facts and carries out the chart's orders. */
export class SupervisedClient<In, Out>
  implements
    ChartOwner,
    ClientOrders,
    DialerHost<In, Out>,
    SenderHost<Out>,
    WakeListener,
    DeadlineOwner,
    ChildActor
{
  readonly charts: ChartSystem;
  readonly context: SharedRuntime;
  readonly options: ResolvedClientOptions<In, Out>;
  readonly contract: Contract<In, Out, unknown>;
  readonly platform: Platform;
  readonly parent: Parent | null;
  readonly streams: ClientStreams<In>;

  readonly #chart: ChartRunner<ClientFact['type']>;
  #actor: HostedActor | null = null;
  readonly #dialer: Dialer<In, Out>;
  readonly #reconnectPolicy: ReconnectPolicy;
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
    const { options, charts, context, parent, platform } = parts;
    this.charts = charts;
    this.options = options;
    this.context = context;
    this.contract = parts.contract;
    this.platform = platform;
    this.parent = parent;
    this.#status = idle;
    this.streams = new ClientStreams(idle, platform.warnings);
    this.#reconnectPolicy = parts.makeReconnectPolicy(this.streams);
    this.#dialer = new Dialer(this, parts.url);
    this.#chart = charts.run(clientTable, this);
    if (charts.areActorsEager) this.#actor = this.actor;
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

  get actor(): HostedActor {
    this.#actor ??= this.charts.host(this.#chart, { id: 'client', ...this.#actorPlace });
    return this.#actor;
  }

  get #actorPlace() {
    const { inspect } = this.options;
    if (inspect === undefined) return { parent: this.parent?.actor ?? this.charts.root };
    return { parent: null, inspector: { inspect, report: this.streams.report('inspect') } };
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
      this.#updateStatus();
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
    this.charts.notifications.add(() => this.#welcome());
    this.charts.notifications.add(reportOpen);
    this.#send('connection.opened');
  }

  attemptFlows(): void {
    this.#sender?.sendQueued();
  }

  attemptEnded(ending: Ending, reportEnd: () => void): void {
    this.#stopDelay();
    // Told when the chart knows: whoever hears of it finds the client in the state that follows.
    this.charts.notifications.add(reportEnd);
    const fact = this.#reconnectPolicy.judge(ending, this.context.clock.now());
    this.#gaveUp = fact === 'restarts.exceeded' ? 'restarts' : 'refused';
    this.#send(fact);
  }

  later(news: () => void): void {
    this.charts.notifications.add(news);
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
    this.#chart.send(type);
  }

  chartSettled(): void {
    this.#updateStatus();
    if (!this.#isFinished) return;
    this.#isFinished = false;
    this.charts.notifications.add(() => this.#complete());
  }

  #updateStatus(): void {
    const status = this.#describe();
    if (isSame(status, this.#status)) return;
    this.#status = status;
    this.charts.notifications.add(() => {
      this.streams.moved(status);
      this.parent?.childMoved(this);
      warnIfLost(this, status);
    });
  }

  chartCrashed(error: Error): void {
    this.charts.notifications.add(() => this.streams.report('client')(error));
    this.terminate();
    this.finish();
    this.#gaveUp = 'crash';
  }

  #complete(): void {
    this.streams.complete();
    this.#isComplete = true;
    this.parent?.release(this);
    this.#whenStopped?.();
  }

  #describe(): ClientStatus {
    const states = this.#gaveUp === 'crash' ? crashed : this.#chart.state.paths;
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
