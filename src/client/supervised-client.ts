import { type ActorRefFrom, createActor } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import type { ClientFact, ClientOrders, DelayName } from '../../machines/client-contract.ts';
import type { ChildActor, Parent } from '../connection/parent.ts';
import type { PortContext } from '../connection/port-host.ts';
import { snapshotPaths } from '../connection/snapshot-paths.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { DialedConnection } from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { ClientStreams } from './client-streams.ts';
import type { ClientState, ClientStatus, Ending } from './client-types.ts';
import { Dialer, type DialerObserver, type DialerParts } from './dialer.ts';
import { inspected } from './inspection.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import type { Redial, ReportErrored } from './redial.ts';
import { Sender } from './sender.ts';
import { placeOf } from './target.ts';
import { Teller, type TellerOwner } from './teller.ts';

const idle: ClientStatus = {
  state: 'idle',
  states: ['idle'],
  attempts: 0,
  ending: undefined,
  delayMs: undefined,
};

/** What a client is made of. */
export interface ClientParts<In, Out> extends Omit<DialerParts<In, Out>, 'streams' | 'target'> {
  readonly options: ResolvedClientOptions<In, Out>;
  /** Decides whether it dials again, and when. */
  readonly makeRedial: (report: ReportErrored) => Redial;
}

/** What is behind a client: it gives its chart the facts and carries out the chart's orders. */
export class SupervisedClient<In, Out>
  implements ClientOrders, DialerObserver, DeadlineOwner, ChildActor, TellerOwner<ClientFact>
{
  readonly kind = 'client';
  readonly actor: ActorRefFrom<typeof clientMachine>;

  readonly #context: PortContext;
  readonly #parent: Parent | null;
  readonly #options: ResolvedClientOptions<In, Out>;
  readonly #platform: Platform;
  readonly #dialer: Dialer<In, Out>;
  readonly #redial: Redial;
  readonly sender: Sender<Out>;
  readonly streams: ClientStreams<In>;
  readonly #stopped: Promise<void>;
  readonly #stopWatching: () => void;
  #whenStopped: () => void = () => {};
  #status: ClientStatus;
  #delayMs: number | undefined;
  #delay: Deadline | null = null;
  #closeFrame: CloseFrame = { code: 1000, reason: '' };
  #letProcessEnd: (() => void) | null = null;
  #isCrashed = false;
  #isOffline = false;
  /** The chart has come to its end, and that is still to be told. */
  #isFinished = false;
  readonly #teller = new Teller<ClientFact>(this);

  constructor(parts: ClientParts<In, Out>) {
    const { parent, options, context, contract, platform } = parts;
    this.#parent = parent;
    this.#options = options;
    this.#platform = platform;
    this.#context = context;
    this.#status = idle;
    this.streams = new ClientStreams(idle);
    this.#redial = parts.makeRedial((handler) => this.streams.report(handler));
    this.sender = new Sender<Out>({
      contract,
      queueMax: options.queueMax,
      clock: context.clock,
      wheel: context.wheel,
      isOver: () => this.#isOver,
      outbox: () => this.#dialer.outbox,
      dropped: (message, reason) =>
        this.later(() => this.streams.events.next({ type: 'message.dropped', message, reason })),
    });
    this.#stopped = new Promise((resolve) => {
      this.#whenStopped = resolve;
    });
    this.actor = createActor(clientMachine, {
      id: 'client',
      input: { client: this },
      ...(parent === null
        ? inspected(options.inspect, this.streams.report('inspect'))
        : { parent: parent.actor }),
    });
    const target = () => this.#redial.target();
    this.#dialer = new Dialer({ ...parts, target, streams: this.streams }, this.actor, this);
    this.actor.subscribe({ error: (thrown) => this.#crashed(toError(thrown)) });
    this.actor.start();
    options.signal?.addEventListener('abort', this.#abort);
    this.#stopWatching = this.#watchHost();
    const isWelcome = parent === null || parent.adopt(this);
    if (options.signal?.aborted || !isWelcome) this.#tell('stop.requested');
    // Not at once: whoever made it must be able to listen before the first attempt fails.
    else context.clock.afterPoll(() => this.#tell('dial.requested'));
  }

  #watchHost(): () => void {
    const { whenWoken } = this.#context.wheel;
    const woke = () => this.#woke();
    const stopSigns = this.#platform.watchSigns({
      networkLost: () => this.#network(true),
      networkReturned: () => this.#network(false),
      woke,
    });
    whenWoken.add(woke);
    return () => {
      stopSigns();
      whenWoken.delete(woke);
    };
  }

  /** Where it dialed last. */
  get url(): string {
    return this.#dialer.url;
  }

  /** The host that it dialed last. */
  get address(): string {
    return placeOf(this.#dialer.url).address;
  }

  get state(): ClientState {
    return this.#status.state;
  }

  /** The connection that is open now. */
  get connection(): DialedConnection<In, Out> | undefined {
    return this.#dialer.connection;
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

  /** Destroys what there is of a connection. */
  terminate(): void {
    this.#dialer.terminate();
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
    this.#dialer.dial();
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
    this.#delay = this.#context.wheel.schedule(delayMs, this, name);
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
      this.#context.wheel.postpone(this.#delay, delayAwakeMs);
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
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#stopWatching();
    this.sender.clear();
    this.#isFinished = true;
  }

  deadlinePassed(name: string): void {
    this.#delay = null;
    const moreMs = name === 'stable' ? 0 : this.#redial.holdMs;
    if (moreMs > 0) this.#delay = this.#context.wheel.schedule(moreMs, this, name);
    else this.#tell('deadline.passed');
  }

  // What the dialer tells.

  attemptOpened(): void {
    this.#redial.opened();
    this.#tell('connection.opened');
  }

  attemptFlows(): void {
    this.sender.sendQueued();
  }

  attemptEnded(ending: Ending, tellEnd: () => void): void {
    this.#stopDelay();
    // Told when the chart knows: whoever hears of it finds the client in the state that follows.
    this.#teller.add(tellEnd);
    this.#tell(this.#redial.judge(ending, this.#context.clock.now()));
  }

  later(news: () => void): void {
    this.#teller.later(news);
  }

  #stopDelay(): void {
    this.#delay = this.#context.wheel.cancel(this.#delay);
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
    this.#teller.tell({ type });
  }

  send(fact: ClientFact): void {
    this.actor.send(fact);
  }

  settled(): void {
    const status = this.#describe();
    if (!isSame(status, this.#status)) {
      this.#status = status;
      this.#teller.add(() => {
        this.streams.statuses.next(status);
        this.#parent?.childMoved(this);
      });
    }
    if (this.#isFinished) {
      this.#isFinished = false;
      this.#teller.add(() => this.#complete());
    }
  }

  /** The chart itself threw: there is nobody left to decide anything. */
  #crashed(error: Error): void {
    this.streams.report('client')(error);
    this.terminate();
    this.finish();
    this.#isCrashed = true;
    this.#teller.settle();
  }

  #complete(): void {
    this.streams.complete();
    this.#parent?.release(this);
    this.#whenStopped();
  }

  #describe(): ClientStatus {
    const states = this.#isCrashed ? ['exhausted'] : snapshotPaths(this.actor.getSnapshot().value);
    const state = (states[0] ?? 'idle') as ClientState;
    return {
      state,
      states,
      attempts: this.#dialer.attempts,
      ending: this.#redial.ending,
      delayMs: this.#delayMs,
    };
  }
}

function isSame(one: ClientStatus, other: ClientStatus): boolean {
  return one.attempts === other.attempts && one.states.join() === other.states.join();
}
