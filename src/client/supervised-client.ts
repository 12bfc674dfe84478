import type { ClientFact, ClientOrders, DelayName } from '../../machines/client-contract.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ChartOwner, ChartRunner } from '../chart/runner.ts';
import { clientTable } from '../chart/tables/client.ts';
import type { ChildActor } from '../connection/parent.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { DialedConnection } from '../core/connection.ts';
import type { Deadline } from '../core/timer-wheel.ts';
import { ClientRequests } from './client-requests.ts';
import type { ClientDependencies } from './client-runtime.ts';
import type { ClientStreams } from './client-streams.ts';
import type { ClientState, ClientStatus, Ending, GaveUp } from './client-types.ts';
import { Demand, type DemandHost } from './demand.ts';
import { Dialer, type DialerHost } from './dialer.ts';
import type { HostSigns } from './host-signs.ts';
import type { Outgoing } from './outbound-outbox.ts';
import { addressIn } from './reconnect/route.ts';
import { Sender } from './sender.ts';

/** The status of a client that has not begun. */
export const idle: ClientStatus = {
  state: 'idle',
  states: ['idle'],
  attempts: 0,
  ending: undefined,
  delayMs: undefined,
  gaveUp: undefined,
};

/** The close frame when the application gives none. */
export const defaultCloseFrame: CloseFrame = { code: 1000, reason: '' };

/** The states of a client whose chart has crashed. */
const crashed: readonly string[] = ['exhausted'];

/** A client behind its public handle. It sends facts to its chart and carries out the orders of the chart. */
export class SupervisedClient<In, Out>
  implements ChartOwner, ClientOrders, ChildActor, DialerHost, DemandHost, HostSigns
{
  readonly #parts: ClientDependencies<In, Out>;
  readonly #chart: ChartRunner<ClientFact['type']>;
  #actor: HostedActor | null = null;
  readonly #dialer: Dialer<In, Out>;
  /** Made for the first message, because many clients only listen. */
  #sender: Sender<In, Out> | null = null;
  /** Made for the first request or receipt. */
  #requests: ClientRequests<In, Out> | null = null;
  #stopWatching: (() => void) | null = null;
  readonly #ignoreSignal: (() => void) | null;
  /** Made when the client is asked to stop. */
  #stopped: Promise<void> | null = null;
  #whenStopped: (() => void) | null = null;
  #status: ClientStatus = idle;
  #delayMs: number | undefined;
  #delay: Deadline | null = null;
  #closeFrame = defaultCloseFrame;
  #letProcessEnd: (() => void) | null = null;
  #gaveUp: GaveUp | undefined;
  #isOffline = false;
  #isComplete = false;
  /** Only for a client that dials on demand. */
  readonly #demand: Demand | null = null;

  constructor(parts: ClientDependencies<In, Out>) {
    const { charts, platform, parent, runtime } = parts;
    const { signal, clock, dial, idleMs } = runtime.options;
    this.#parts = parts;
    this.#dialer = new Dialer(parts, this);
    this.#chart = charts.run(clientTable, this);
    if (charts.areActorsEager) this.#actor = this.actor;
    const abort = () => this.#chart.send('stop.requested');
    this.#ignoreSignal = signal ? platform.whenAborted(signal, abort) : null;
    this.#chart.start();
    const isWelcome = parent === null || parent.adopt(this);
    if (signal?.aborted || !isWelcome) abort();
    else if (dial === 'on-demand') this.#demand = this.#watchDemand(idleMs);
    // Not at once, so that the application can subscribe before the first attempt fails.
    else clock.afterPoll(() => this.demandBegan());
  }

  #watchDemand(idleMs = Number.POSITIVE_INFINITY): Demand {
    const demand = new Demand(this.#parts.runtime.context, idleMs, this);
    this.streams.whenListenersChange = () => demand.subscribersChanged();
    return demand;
  }

  get kind(): 'client' {
    return 'client';
  }

  get actor(): HostedActor {
    if (this.#actor !== null) return this.#actor;
    const { charts, parent, runtime, streams } = this.#parts;
    const { inspect } = runtime.options;
    const place =
      inspect === undefined
        ? { parent: parent?.actor ?? charts.root }
        : { parent: null, inspector: { inspect, report: streams.report('inspect') } };
    this.#actor = charts.host(this.#chart, { id: 'client', ...place });
    return this.#actor;
  }

  get streams(): ClientStreams<In> {
    return this.#parts.streams;
  }

  /** The URL that it dialed last. */
  get url(): string {
    return this.#dialer.url;
  }

  /** The host that it dialed last. */
  get address(): string {
    return addressIn(this.url);
  }

  get positions(): Readonly<Record<string, string>> {
    return this.#dialer.positions.all;
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

  get sender(): Sender<In, Out> {
    this.#sender ??= new Sender<In, Out>(this.#parts, this.#dialer, () => this.#isStopping);
    return this.#sender;
  }

  get #isStopping(): boolean {
    return ['stopping', 'stopped', 'exhausted'].includes(this.state);
  }

  /** Dials at once if the client waits or has given up. Returns whether it dials. */
  dialNow(): boolean {
    if (this.state === 'exhausted' && !this.#chart.isOver) this.#parts.policy.restart();
    else if (this.state !== 'waiting') return false;
    this.#demand?.ask();
    this.#chart.send('dial.requested');
    return true;
  }

  /** Asks for a connection. Returns whether the client was idle or hanging up. */
  open(): boolean {
    const isIdle = this.state === 'idle' || this.state === 'idling';
    this.#demand?.ask();
    return isIdle;
  }

  /** Returns the sender for a message, and notes the demand. */
  used(): Sender<In, Out> {
    this.#demand?.ask();
    return this.sender;
  }

  /** Returns the requests of the client, and notes the demand. */
  requested(): ClientRequests<In, Out> {
    const sender = this.used();
    this.#requests ??= new ClientRequests(this.#parts, sender);
    return this.#requests;
  }

  // Methods for the demand.

  get isNeeded(): boolean {
    const isBusy = (this.#sender?.queued ?? 0) > 0 || this.#dialer.isBusy;
    return isBusy || this.streams.messages.observed;
  }

  get isHangingUp(): boolean {
    return this.state === 'idling';
  }

  /**
   * Watches the host first, because its first report counts for the first attempt. Notifications are held, because
   * `signs` may close the client, which can stop the watch only after `watchHost` has returned.
   */
  demandBegan(): void {
    if (this.state !== 'idle') return;
    this.#parts.charts.notifications.during(() => this.#watchHost());
    this.#chart.send('dial.requested');
  }

  /**
   * Hangs up. An attempt or a delay under way ends first, because a short demand must not shorten it. After a delay,
   * the client is then idle; after an attempt that opens, the idle time starts again.
   */
  demandEnded(): void {
    if (this.state === 'up') this.#chart.send('demand.ended');
  }

  pause(): boolean {
    return !this.#chart.isOver && this.#dialer.pause();
  }

  resume(): boolean {
    return this.#dialer.resume();
  }

  /** Closes the connection or gives up the attempt, and dials no more. Resolves when nothing is left. */
  stop(frame: CloseFrame): Promise<void> {
    this.#closeFrame = frame;
    this.#chart.send('stop.requested');
    this.#stopped ??= new Promise((resolve) => {
      if (this.#isComplete) resolve();
      else this.#whenStopped = resolve;
    });
    return this.#stopped;
  }

  /** Destroys the socket of the connection, if there is one. */
  terminate(): void {
    this.#dialer.terminate();
  }

  // The chart's orders.

  dial(): void {
    this.#watchHost();
    this.#stopDelay();
    this.#holdProcess(true);
    this.#dialer.dial();
  }

  announceUp(): void {
    this.#demand?.ask();
  }

  resetBackoff(): void {
    this.#parts.policy.reset();
  }

  startDelay({ name }: { name: DelayName }): void {
    this.#stopDelay();
    // Whole, because users read it; rounded up, because a peer may have asked for the time.
    const delayMs = Math.ceil(this.#parts.policy.delayMs(name));
    if (name !== 'stable') {
      this.#delayMs = delayMs;
    }
    this.#schedule(delayMs, name);
    if (this.#isOffline && name !== 'offline') this.#chart.send('network.lost');
  }

  probe(): void {
    this.#dialer.probe();
  }

  giveUp(): void {
    this.rest();
    this.#sender?.clear('gave-up');
  }

  rest(): void {
    this.#stopDelay();
    this.#holdProcess(false);
    this.#unwatchHost();
  }

  endConnection(): void {
    this.#stopDelay();
    this.#dialer.end(this.#closeFrame);
  }

  finish(): void {
    this.rest();
    this.#demand?.end();
    this.#sender?.clear('stopped');
    this.#ignoreSignal?.();
  }

  #watchHost(): void {
    const { platform, runtime } = this.#parts;
    runtime.context.wheel.whenWoken.add(this);
    this.#stopWatching ??= platform.watchHost(this);
  }

  /** After this, the garbage collector can collect a client that the application has dropped. */
  #unwatchHost(): void {
    this.#parts.runtime.context.wheel.whenWoken.delete(this);
    this.#stopWatching?.();
    this.#stopWatching = null;
    this.#isOffline = false;
  }

  // Signs of the host.

  offline(): void {
    // A repeated sign must not postpone the next attempt.
    if (this.#isOffline) return;
    this.#isOffline = true;
    this.#chart.send('network.lost');
  }

  online(): void {
    this.#isOffline = false;
    this.#hostSigned('network.returned');
  }

  woke(): void {
    this.#hostSigned('wake.noticed');
  }

  /**
   * Each of these signs ends the state `offline`: the client dials, unless nothing needs it or its policy holds it
   * back.
   */
  #hostSigned(sign: 'network.returned' | 'wake.noticed'): void {
    const isOffline = this.#status.states.includes('waiting.offline');
    const holdMs = isOffline ? this.#parts.policy.holdMs : 0;
    if (isOffline && this.#isNeedless) this.#chart.send('demand.ended');
    else if (holdMs === 0) this.#chart.send(sign);
    else {
      this.#parts.runtime.context.wheel.cancel(this.#delay);
      this.#schedule(holdMs, 'offline');
    }
  }

  /** Whether the client waits, and nothing needs it any more. */
  get #isNeedless(): boolean {
    return this.state === 'waiting' && this.#demand?.isWanted === false;
  }

  // Deadlines.

  deadlinePassed(name: string): void {
    this.#delay = null;
    const moreMs = name === 'stable' ? 0 : this.#parts.policy.holdMs;
    if (moreMs > 0) this.#schedule(moreMs, name);
    else this.#chart.send(this.#isNeedless ? 'demand.ended' : 'deadline.passed');
  }

  #schedule(delayMs: number, name: string): void {
    this.#delay = this.#parts.runtime.context.wheel.schedule(delayMs, this, name);
  }

  #stopDelay(): void {
    this.#delay = this.#parts.runtime.context.wheel.cancel(this.#delay);
    this.#delayMs = undefined;
  }

  /**
   * Keeps the process alive from the first attempt until the client rests. Between attempts there is no socket, and
   * timers of a clock do not keep the process alive.
   */
  #holdProcess(holds: boolean): void {
    if (holds === (this.#letProcessEnd !== null)) return;
    this.#letProcessEnd?.();
    this.#letProcessEnd = holds ? this.#parts.platform.holdProcess() : null;
  }

  // Results of the dialer.

  send(fact: ClientFact['type']): void {
    this.#chart.send(fact);
  }

  attemptUsable(): void {
    this.#sender?.connected();
  }

  messageLost(outgoing: Outgoing): void {
    this.sender.dropped(outgoing, 'connection-lost');
  }

  connectionUsed(): void {
    this.#demand?.used();
  }

  attemptFlows(): void {
    this.#sender?.sendQueued();
  }

  attemptEnded(ending: Ending, reportEnd: () => void): void {
    const { policy, charts, runtime } = this.#parts;
    this.#stopDelay();
    // Sent in any case, because not every connection has reported this.
    this.#chart.send('connection.ending');
    // Added before the fact, but delivered after the step: a subscriber finds the client in its next state.
    charts.notifications.add(reportEnd);
    // The policy does not judge an ending that the client asked for.
    const isWanted = this.state === 'idling' || this.state === 'stopping';
    const fact = isWanted ? policy.note(ending) : policy.judge(ending, runtime.options.clock.now());
    if (this.#chart.isOver) this.#completeSoon();
    else this.#gaveUp = fact === 'restarts.exceeded' ? 'restarts' : 'refused';
    this.#chart.send(fact);
    // A demand came while the client hung up.
    if (this.#demand?.isWanted) this.demandBegan();
  }

  // The owner of the chart.

  chartSettled(): void {
    this.#updateStatus();
  }

  /** A connection that a crash leaves behind reports its own ending first. */
  chartEnded(): void {
    if (!this.#dialer.isDialing) this.#completeSoon();
  }

  chartCrashed(error: Error): void {
    this.#parts.charts.notifications.add(() => this.streams.report('client')(error));
    this.terminate();
    this.finish();
    this.#gaveUp = 'crash';
  }

  #completeSoon(): void {
    this.#parts.charts.notifications.add(() => this.#complete());
  }

  #complete(): void {
    this.streams.complete();
    this.#isComplete = true;
    this.#parts.parent?.release(this);
    this.#whenStopped?.();
  }

  #updateStatus(): void {
    const status = this.#describe();
    const { attempts, delayMs, states } = this.#status;
    const isSame =
      status.attempts === attempts &&
      status.delayMs === delayMs &&
      status.states.join() === states.join();
    if (isSame) return;
    this.#status = status;
    this.#parts.charts.notifications.add(() => {
      this.streams.moved(status);
      this.#parts.parent?.childMoved(this);
      const isHeard = this.streams.isHeard || this.#parts.parent?.isHeard === true;
      if (!isHeard) this.#parts.platform.warnings?.clientMoved(this.address, status);
    });
  }

  #describe(): ClientStatus {
    const states = this.#gaveUp === 'crash' ? crashed : this.#chart.state.paths;
    const state = (states[0] ?? 'idle') as ClientState;
    // The reason is noted before the chart gives up.
    return {
      state,
      states,
      attempts: this.#dialer.attempts,
      ending: this.#parts.policy.ending,
      delayMs: this.#delayMs,
      gaveUp: state === 'exhausted' ? this.#gaveUp : undefined,
    } as ClientStatus;
  }
}
