import type { Observable } from 'rxjs';
import { type ActorRefFrom, createActor } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import type { ClientFact, ClientOrders, DelayName } from '../../machines/client-contract.ts';
import type { Port } from '../connection/port.ts';
import type { PortContext, PortHost, PortReport } from '../connection/port-host.ts';
import { snapshotPaths } from '../connection/snapshot-paths.ts';
import { type CloseFrame, checkedCloseFrame } from '../core/close-code.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import { Backoff } from './backoff.ts';
import { ClientStreams } from './client-streams.ts';
import type {
  Client,
  ClientEvent,
  ClientSendOptions,
  ClientState,
  ClientStatus,
  Ending,
} from './client-types.ts';
import { DialedPort } from './dialed-port.ts';
import type { DialTarget } from './dialed-wire.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import { RestartIntensity } from './restart-intensity.ts';
import { retryAfter } from './retry.ts';
import { Sender } from './sender.ts';

/** What a client is made of. */
export interface ClientParts<In, Out> {
  readonly target: DialTarget;
  readonly options: ResolvedClientOptions<In, Out>;
  readonly context: PortContext;
  readonly contract: Contract<In, Out>;
  readonly platform: Platform;
}

/** A client: carries out the orders of its chart and owns the one port that there is. */
export class SupervisedClient<In, Out>
  implements Client<In, Out>, ClientOrders, PortHost, DeadlineOwner
{
  readonly context: PortContext;
  readonly actor: ActorRefFrom<typeof clientMachine>;

  readonly #target: DialTarget;
  readonly #options: ResolvedClientOptions<In, Out>;
  readonly #contract: Contract<In, Out>;
  readonly #platform: Platform;
  readonly #backoff: Backoff;
  readonly #intensity: RestartIntensity;
  readonly #sender: Sender<Out>;
  readonly #streams: ClientStreams<In>;
  readonly #stopped: Promise<void>;
  readonly #stopWatching: () => void;
  #whenStopped: () => void = () => {};
  #port: DialedPort | null = null;
  #status: ClientStatus;
  #attempts = 0;
  #ending: Ending | undefined;
  #delayMs: number | undefined;
  #delay: Deadline | null = null;
  #closeFrame: CloseFrame = { code: 1000, reason: '' };
  #letProcessEnd: (() => void) | null = null;
  #isTelling = false;
  #isOffline = false;
  /** The chart has come to its end, and that is still to be told. */
  #isFinished = false;
  /** What user code is still to hear: it never runs inside a transition. */
  readonly #news: (() => void)[] = [];

  constructor({ target, options, context, contract, platform }: ClientParts<In, Out>) {
    this.#target = target;
    this.#options = options;
    this.#contract = contract;
    this.#platform = platform;
    this.context = context;
    this.#backoff = new Backoff(options.backoff, options.random);
    this.#sender = new Sender<Out>({
      contract,
      queueMax: options.queueMax,
      clock: context.clock,
      isOver: () => this.#isOver,
      outbox: () => this.#port?.messages ?? null,
      dropped: (message, reason) =>
        this.#later(() => this.#streams.events.next({ type: 'message.dropped', message, reason })),
    });
    this.#intensity = new RestartIntensity(options.restarts);
    this.#stopped = new Promise((resolve) => {
      this.#whenStopped = resolve;
    });
    this.actor = createActor(clientMachine, { input: { client: this } });
    this.actor.start();
    this.#status = this.#describe();
    this.#streams = new ClientStreams(this.#status);
    options.signal?.addEventListener('abort', this.#abort);
    const woke = () => this.#tell('wake.noticed');
    context.wheel.whenWoken.add(woke);
    const stopSigns = platform.watchSigns({
      networkLost: () => this.#network(true),
      networkReturned: () => this.#network(false),
      woke,
    });
    this.#stopWatching = () => {
      stopSigns();
      context.wheel.whenWoken.delete(woke);
    };
    if (options.signal?.aborted) this.#tell('stop.requested');
    // Not at once: whoever made it must be able to listen before the first attempt fails.
    else context.clock.afterPoll(() => this.#tell('dial.requested'));
  }

  // What applications see.

  get url(): string {
    return this.#target.url;
  }

  get status(): ClientStatus {
    return this.#status;
  }

  get status$(): Observable<ClientStatus> {
    return this.#streams.statuses.observable;
  }

  get messages$(): Observable<In> {
    return this.#streams.messages.observable;
  }

  get endings$(): Observable<Ending> {
    return this.#streams.endings.observable;
  }

  get verdicts$(): Observable<CloseVerdict> {
    return this.#streams.verdicts.observable;
  }

  get events$(): Observable<ClientEvent> {
    return this.#streams.events.observable;
  }

  get queuedMessages(): number {
    return this.#sender.queued;
  }

  send(message: Out, options: ClientSendOptions = {}): SendResult {
    return this.#sender.send(message, options);
  }

  sendAndFlush(message: Out, options: ClientSendOptions = {}): Promise<FlushResult> {
    return this.#sender.sendAndFlush(message, options);
  }

  async close(code = 1000, reason = ''): Promise<void> {
    this.#closeFrame = checkedCloseFrame(code, reason);
    this.#tell('stop.requested');
    await this.#stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #isOver(): boolean {
    const { state } = this.#status;
    return state === 'stopping' || state === 'stopped' || state === 'exhausted';
  }

  readonly #abort = (): void => this.#tell('stop.requested');

  // The chart's orders.

  dial(): void {
    this.#stopDelay();
    this.#holdProcess(false);
    this.#attempts += 1;
    this.#port = new DialedPort(this, {
      id: `a${this.#attempts}`,
      target: this.#target,
      makeWire: (observer) => this.#platform.makeWire(observer, this.context),
    });
  }

  announceUp(): void {
    this.#sender.sendQueued();
  }

  resetBackoff(): void {
    this.#backoff.reset();
  }

  startDelay({ name }: { name: DelayName }): void {
    this.#stopDelay();
    const delayMs = name === 'stable' ? this.#options.backoff.stableMs : this.#nextDelayMs();
    if (name === 'backoff') {
      this.#delayMs = delayMs;
      this.#holdProcess(true);
      if (this.#isOffline) this.#tell('network.lost');
    }
    this.#delay = this.context.wheel.schedule(delayMs, this, name);
  }

  #network(isLost: boolean): void {
    this.#isOffline = isLost;
    this.#tell(isLost ? 'network.lost' : 'network.returned');
  }

  probe(): void {
    this.#port?.probe();
  }

  endConnection(): void {
    this.#stopDelay();
    if (this.#port?.abort() || this.#port?.close('close', this.#closeFrame)) return;
    // It is closing by itself; its end will be told.
  }

  finish(): void {
    this.#stopDelay();
    this.#holdProcess(false);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#stopWatching();
    this.#sender.clear();
    this.#isFinished = true;
  }

  deadlinePassed(): void {
    this.#delay = null;
    this.#tell('deadline.passed');
  }

  // What a port needs.

  portMoved(): void {}

  portOpened(): void {}

  portQuarantined(): void {}

  portReported(port: Port, report: PortReport): void {
    if (report === 'opened') this.#tell('connection.opened');
    else if (report === 'flowing') this.#sender.sendQueued();
    else if (report === 'closed' || report === 'failed') this.#ended(port);
  }

  messageArrived(_port: Port, payload: Uint8Array, isBinary: boolean): void {
    const intake = this.#contract.read(payload, isBinary);
    if ('message' in intake) this.#streams.messages.next(intake.message);
    else this.#streams.events.next({ type: 'message.invalid', fault: intake.fault });
  }

  #ended({ verdict, failure }: Port): void {
    this.#port = null;
    this.#stopDelay();
    const ending: Ending | undefined =
      (verdict && { outcome: 'closed', verdict }) || (failure && { outcome: 'failed', failure });
    if (ending === undefined) return;
    this.#ending = ending;
    // Told when the chart knows: whoever hears of it finds the client in the state that follows.
    this.#news.push(() => this.#streams.ended(ending));
    this.#tell(this.#consequence(ending));
  }

  #consequence(ending: Ending): ClientFact['type'] {
    const retry = retryAfter(ending, this.#options.privateCodes);
    if (retry === 'never') return 'connection.refused';
    if (this.#intensity.exceeded(this.context.clock.now())) return 'restarts.exceeded';
    return 'connection.ended';
  }

  #nextDelayMs(): number {
    const ending = this.#ending;
    if (ending === undefined) return 0;
    return ending.outcome === 'closed'
      ? this.#backoff.next({ code: ending.verdict.code })
      : this.#backoff.next({ retryAfterMs: ending.failure.retryAfterMs });
  }

  #stopDelay(): void {
    this.#delay = this.context.wheel.cancel(this.#delay);
    this.#delayMs = undefined;
  }

  /** Timers do not keep a process alive; somebody who waits for the next attempt wants it to live. */
  #holdProcess(holds: boolean): void {
    this.#letProcessEnd?.();
    this.#letProcessEnd = holds ? this.#platform.holdProcess() : null;
  }

  // Telling.

  #tell(type: ClientFact['type']): void {
    if (this.#isTelling) {
      this.actor.send({ type });
      return;
    }
    this.#isTelling = true;
    this.actor.send({ type });
    this.#isTelling = false;
    this.#settle();
  }

  #later(news: () => void): void {
    this.#news.push(news);
    if (!this.#isTelling) this.#settle();
  }

  /** Tells user code what has happened, once the chart has settled: what came to an end, then what follows. */
  #settle(): void {
    const status = this.#describe();
    if (!isSame(status, this.#status)) {
      this.#status = status;
      this.#news.push(() => this.#streams.statuses.next(status));
    }
    if (this.#isFinished) {
      this.#isFinished = false;
      this.#news.push(() => this.#complete());
    }
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) news();
  }

  #complete(): void {
    this.#streams.complete();
    this.#whenStopped();
  }

  #describe(): ClientStatus {
    const states = snapshotPaths(this.actor.getSnapshot().value);
    const state = (states[0] ?? 'idle') as ClientState;
    return {
      state,
      states,
      attempts: this.#attempts,
      ending: this.#ending,
      delayMs: this.#delayMs,
    };
  }
}

function isSame(one: ClientStatus, other: ClientStatus): boolean {
  return one.attempts === other.attempts && one.states.join() === other.states.join();
}
