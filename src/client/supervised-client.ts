import { type ActorRefFrom, createActor, type InspectionEvent } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import type { ClientFact, ClientOrders, DelayName } from '../../machines/client-contract.ts';
import type { Port } from '../connection/port.ts';
import type { PortContext, PortHost, PortReport } from '../connection/port-host.ts';
import { snapshotPaths } from '../connection/snapshot-paths.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { Contract } from '../core/contract.ts';
import { toError } from '../core/errors.ts';
import { guarded } from '../core/guard.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { ClientStreams } from './client-streams.ts';
import type { ClientState, ClientStatus, Ending } from './client-types.ts';
import { DialedPort } from './dialed-port.ts';
import type { DialTarget } from './dialed-wire.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import { Redial } from './redial.ts';
import { Sender } from './sender.ts';

const idle: ClientStatus = {
  state: 'idle',
  states: ['idle'],
  attempts: 0,
  ending: undefined,
  delayMs: undefined,
};

/** What a client is made of. */
export interface ClientParts<In, Out> {
  readonly target: DialTarget;
  readonly options: ResolvedClientOptions<In, Out>;
  readonly context: PortContext;
  readonly contract: Contract<In, Out>;
  readonly platform: Platform;
}

/** What is behind a client: it carries out the orders of the chart and owns the one port that there is. */
export class SupervisedClient<In, Out> implements ClientOrders, PortHost, DeadlineOwner {
  readonly context: PortContext;
  readonly actor: ActorRefFrom<typeof clientMachine>;

  readonly #target: DialTarget;
  readonly #options: ResolvedClientOptions<In, Out>;
  readonly #contract: Contract<In, Out>;
  readonly #platform: Platform;
  readonly #redial: Redial;
  readonly sender: Sender<Out>;
  readonly streams: ClientStreams<In>;
  readonly #stopped: Promise<void>;
  readonly #stopWatching: () => void;
  #whenStopped: () => void = () => {};
  #port: DialedPort | null = null;
  #status: ClientStatus;
  #attempts = 0;
  #delayMs: number | undefined;
  #delay: Deadline | null = null;
  #closeFrame: CloseFrame = { code: 1000, reason: '' };
  #letProcessEnd: (() => void) | null = null;
  #isTelling = false;
  #isReading = false;
  #isCrashed = false;
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
    this.#status = idle;
    this.streams = new ClientStreams(idle);
    this.#redial = new Redial(options, (handler) => this.streams.report(handler));
    this.sender = new Sender<Out>({
      contract,
      queueMax: options.queueMax,
      clock: context.clock,
      wheel: context.wheel,
      isOver: () => this.#isOver,
      outbox: () => this.#port?.messages ?? null,
      dropped: (message, reason) =>
        this.#later(() => this.streams.events.next({ type: 'message.dropped', message, reason })),
    });
    this.#stopped = new Promise((resolve) => {
      this.#whenStopped = resolve;
    });
    const { inspect } = options;
    const watched = inspect && {
      inspect: (event: InspectionEvent) =>
        void guarded(() => inspect(event), this.streams.report('inspect')),
    };
    this.actor = createActor(clientMachine, { input: { client: this }, ...watched });
    this.actor.subscribe({ error: (thrown) => this.#crashed(toError(thrown)) });
    this.actor.start();
    options.signal?.addEventListener('abort', this.#abort);
    const woke = () => this.#woke();
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

  get url(): string {
    return this.#target.url;
  }

  get status(): ClientStatus {
    return this.#status;
  }

  /** Closes what is open, gives up what is under way, and dials no more. Resolves when nothing is left. */
  stop(frame: CloseFrame): Promise<void> {
    this.#closeFrame = frame;
    this.#tell('stop.requested');
    return this.#stopped;
  }

  get #isOver(): boolean {
    const { state } = this.#status;
    return state === 'stopping' || state === 'stopped' || state === 'exhausted';
  }

  readonly #abort = (): void => this.#tell('stop.requested');

  // The chart's orders.

  dial(): void {
    this.#stopDelay();
    this.#holdProcess(true);
    this.#attempts += 1;
    const port = new DialedPort(this, {
      id: `a${this.#attempts}`,
      target: this.#target,
      makeWire: (observer) => this.#platform.makeWire(observer, this.context),
    });
    this.#port = port.isOver ? null : port;
  }

  announceUp(): void {
    this.#holdProcess(false);
    this.sender.sendQueued();
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
  #woke(): void {
    const { delayAwakeMs } = this.#redial;
    if (this.#delay === null || !this.#status.states.includes('waiting.backoff')) {
      this.#tell('wake.noticed');
    } else if (delayAwakeMs !== null) {
      this.context.wheel.postpone(this.#delay, delayAwakeMs);
    }
  }

  probe(): void {
    this.#port?.probe();
  }

  endConnection(): void {
    this.#stopDelay();
    // Where neither does anything it is closing by itself, and its end will be told.
    if (!this.#port?.abort()) this.#port?.close('close', this.#closeFrame);
  }

  finish(): void {
    this.#stopDelay();
    this.#holdProcess(false);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#stopWatching();
    this.sender.clear();
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
    else if (report === 'flowing') this.sender.sendQueued();
    else if (report === 'closed' || report === 'failed') this.#ended(port);
  }

  messageArrived(port: Port, payload: Uint8Array, isBinary: boolean): void {
    const intake = guarded(
      () => this.#contract.read(payload, isBinary),
      (error) => {
        this.streams.report('messages')(error);
        port.end('handler-error', error);
      },
    );
    if (intake === undefined) return;
    if ('message' in intake) this.streams.messages.next(intake.message);
    else this.streams.events.next({ type: 'message.invalid', fault: intake.fault });
  }

  #ended({ verdict, failure }: Port): void {
    this.#port = null;
    this.#stopDelay();
    const ending: Ending | undefined =
      (verdict && { outcome: 'closed', verdict }) || (failure && { outcome: 'failed', failure });
    if (ending === undefined) return;
    // Told when the chart knows: whoever hears of it finds the client in the state that follows.
    this.#news.push(() => this.streams.ended(ending));
    this.#tell(this.#redial.judge(ending, this.context.clock.now()));
  }

  #stopDelay(): void {
    this.#delay = this.context.wheel.cancel(this.#delay);
    this.#delayMs = undefined;
  }

  /** Timers do not keep a process alive; somebody who waits for the next attempt wants it to live. */
  #holdProcess(holds: boolean): void {
    if (holds === (this.#letProcessEnd !== null)) return;
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
      this.#news.push(() => this.streams.statuses.next(status));
    }
    if (this.#isFinished) {
      this.#isFinished = false;
      this.#news.push(() => this.#complete());
    }
    if (this.#isReading) return;
    // One after the other for everybody: what a subscriber does now is told when all have heard this.
    this.#isReading = true;
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) news();
    this.#isReading = false;
  }

  /** The chart itself threw: there is nobody left to decide anything. */
  #crashed(error: Error): void {
    this.streams.report('client')(error);
    this.#port?.terminate();
    this.finish();
    this.#isCrashed = true;
    this.#settle();
  }

  #complete(): void {
    this.streams.complete();
    this.#whenStopped();
  }

  #describe(): ClientStatus {
    const states = this.#isCrashed ? ['exhausted'] : snapshotPaths(this.actor.getSnapshot().value);
    const state = (states[0] ?? 'idle') as ClientState;
    return {
      state,
      states,
      attempts: this.#attempts,
      ending: this.#redial.ending,
      delayMs: this.#delayMs,
    };
  }
}

function isSame(one: ClientStatus, other: ClientStatus): boolean {
  return one.attempts === other.attempts && one.states.join() === other.states.join();
}
