import type { Notifications } from '../chart/notifications.ts';
import type { Bus, BusHost, BusLink, Interest } from '../core/bus.ts';
import type { BusLog, LogHost } from '../core/bus-log.ts';
import { type Clock, holdProcess, systemClock, type TimerHandle } from '../core/clock.ts';
import type { Contract } from '../core/contract.ts';
import { messageTooLarge } from '../core/errors.ts';
import { bytesFrame } from '../core/frame.ts';
import { guarded } from '../core/guard.ts';
import { invalidOptions } from '../core/option-rules.ts';
import { shortName } from '../core/short-name.ts';
import { type BusMessage, readBusMessage, writeBusMessage } from './bus-message.ts';
import type { FanOut } from './fan-out.ts';
import type { InboundConnection } from './inbound-connection.ts';
import { everybody, type Publication, publication, type Selection } from './publication.ts';
import type { Registry } from './registry.ts';
import type { AnyReporter } from './report.ts';
import type { BusState } from './supervisor-types.ts';
import type { TopicAudience } from './topics.ts';

/** The channel of broadcasts. */
const ALL = 'all';

/** How long leaving the bus may take. */
const LEAVE_MS = 1_000;

/** A channel of Mooring itself. */
export interface ControlListener {
  /** Another supervisor has told something. What it throws is reported. */
  heard(message: unknown): void;
  /** The bus is up, or up again. */
  up(): void;
  /** The bus is up, and may reach supervisors that it did not reach. */
  rejoined(): void;
}

/** Tells the other supervisors something. */
export interface Control {
  /** The longest message, in bytes. */
  readonly bytesMax: number;
  /** Returns whether it has left, or `undefined` if it never can: then the error has been reported. */
  tell(message: object): boolean | undefined;
}

/** Gets to know when the bus comes and goes. */
export interface BusWatcher {
  busMoved(state: 'up' | 'down'): void;
}

/** What a reach needs of its supervisor. */
export interface ReachParts {
  readonly clock: Clock;
  readonly contract: Pick<Contract<unknown, never, unknown>, 'decoded'>;
  readonly fanOut: FanOut;
  readonly notifications: Notifications;
  readonly registry: Registry;
  readonly reporter: AnyReporter;
}

/**
 * The other processes of a service, seen from one supervisor: it forwards publications to them, and publishes theirs here.
 *
 * ```
 * publish ─▶ forward ═ bus ═▶ other processes
 *        └─▶ fan-out of this process
 * bus ═▶ heard ─▶ one frame ─▶ fan-out of this process
 * ```
 *
 * It hears only the topics that have members or listeners here.
 */
export class Reach implements BusHost {
  /** The name of this process in the ids of its connections. Another one each time it starts. */
  readonly node = shortName();
  readonly clock: Clock;
  readonly #parts: ReachParts;
  readonly #link: BusLink;
  readonly #controls: ControlListener[] = [];
  /** Is told when the bus comes and goes. */
  #watcher: BusWatcher | null = null;
  #state: BusState = 'connecting';
  #isClosed = false;

  constructor(bus: Bus, parts: ReachParts) {
    this.clock = parts.clock;
    this.#parts = parts;
    this.#link = bus.open(this);
    this.#listen(ALL, (message) => this.#heardBroadcast(message));
  }

  get state(): BusState {
    return this.#state;
  }

  /** Gives a broadcast to the other processes. Returns whether it has left. @throws MooringError `message-too-large` */
  forwardBroadcast(publication: Publication): boolean {
    return this.#forward(ALL, publication);
  }

  /** Gives a publication to the members of a topic in other processes. @throws MooringError `message-too-large` */
  forward(topic: string, publication: Publication): boolean {
    return this.#forward(channelOf(topic), publication);
  }

  #forward(channel: string, publication: Publication): boolean {
    return !publication.isLocal && this.#send(channel, writeBusMessage(publication));
  }

  /** @throws MooringError `message-too-large`, only while the bus is up, because its limit is unknown before */
  #send(channel: string, message: Uint8Array): boolean {
    if (this.#state !== 'up') return false;
    const { payloadBytesMax } = this.#link;
    if (message.length > payloadBytesMax) throw messageTooLarge(message.length, payloadBytesMax);
    return this.#link.publish(channel, message);
  }

  /** Hears what other processes publish to a topic. */
  listen(audience: TopicAudience): void {
    audience.interest ??= this.#listen(channelOf(audience.name), (message) =>
      this.#heard(message, audience),
    );
  }

  stopListening(audience: TopicAudience): void {
    audience.interest?.end();
    audience.interest = null;
  }

  /** A link may hear something while it leaves, when nobody here wants it any more. */
  #listen(channel: string, heard: (message: Uint8Array) => void): Interest {
    return this.#link.listen(channel, (message) => {
      if (!this.#isClosed) heard(message);
    });
  }

  /**
   * Opens the log of durable topics, whose owner also gets to know when the bus comes and goes.
   *
   * @throws MooringError `invalid-options`
   */
  openLog(host: LogHost & BusWatcher): BusLog {
    const log = this.#link.openLog?.(host);
    if (log === undefined) {
      void this.close();
      throw invalidOptions(['durable: the bus keeps no messages']);
    }
    this.#watcher = host;
    return log;
  }

  /** Opens a channel for messages of Mooring itself, which are JSON. */
  control(channel: string, listener: ControlListener): Control {
    this.#controls.push(listener);
    this.#listen(channel, (message) => {
      const report = (error: Error) => this.errored(error);
      guarded(() => listener.heard(JSON.parse(Buffer.from(message).toString())), report);
    });
    const link = this.#link;
    return {
      get bytesMax() {
        return link.payloadBytesMax;
      },
      tell: (message) => {
        const bytes = Buffer.from(JSON.stringify(message));
        const report = (error: Error) => this.errored(error);
        return guarded(() => this.#send(channel, bytes), report);
      },
    };
  }

  #heard(bytes: Uint8Array, audience: TopicAudience): void {
    const message = this.#read(bytes);
    if (message === null) return;
    audience.deliver(this.#publicationOf(message, audience.name));
    if (!audience.isObserved) return;
    const { payload, isBinary } = message;
    const report = (error: Error) => this.errored(error);
    // A copy, because the bytes belong to the bus, and a codec may return them.
    const decode = () =>
      audience.announce(this.#parts.contract.decoded(Buffer.from(payload), isBinary));
    guarded(decode, report);
  }

  #heardBroadcast(bytes: Uint8Array): void {
    const message = this.#read(bytes);
    if (message === null) return;
    this.#parts.fanOut.publish(this.#publicationOf(message, ''), this.#parts.registry);
  }

  /** Any program can publish on a bus, so a message that is wrong is reported and left out. */
  #read(bytes: Uint8Array): BusMessage | null {
    return (
      guarded(
        () => readBusMessage(bytes),
        (error) => this.errored(error),
      ) ?? null
    );
  }

  #publicationOf({ payload, isBinary, ...message }: BusMessage, topic: string): Publication {
    const { overflow, key } = message;
    const frame = bytesFrame(payload, isBinary);
    return publication(undefined, frame, this.#selectionOf(message), {
      ...{ overflow, key, topic, durable: null },
    });
  }

  #selectionOf({ except: ids }: Pick<BusMessage, 'except'>): Selection {
    if (ids.length === 0) return everybody;
    const except = new Set<InboundConnection>();
    for (const id of ids) {
      const connection = this.#parts.registry.open.get(id);
      if (connection !== undefined) except.add(connection);
    }
    return { ...everybody, except };
  }

  moved(state: 'up' | 'down', error?: Error): void {
    if (this.#isClosed) return;
    this.#state = state;
    this.#watcher?.busMoved(state);
    if (state === 'up') for (const control of this.#controls) control.up();
    const { notifications, reporter } = this.#parts;
    notifications.add(() => {
      if (state === 'up') reporter.emit({ type: 'bus.up' });
      else reporter.busDown(error);
    });
  }

  rejoined(): void {
    if (this.#isClosed) return;
    for (const control of this.#controls) control.rejoined();
  }

  errored(error: Error): void {
    const { notifications, reporter } = this.#parts;
    notifications.add(() => reporter.errored('bus', error));
  }

  /** Leaves the bus, within a second. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#state = 'down';
    // The process must live until the drain has resolved, and timers of a clock do not keep it alive.
    const letProcessEnd = this.clock === systemClock ? holdProcess() : null;
    let timer: TimerHandle | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(LEAVE_MS, resolve);
    });
    const left = guarded(
      () => this.#link.close(),
      (error) => this.errored(error),
    );
    await Promise.race([left, deadline]).catch(() => {});
    if (timer !== undefined) this.clock.clearTimer(timer);
    letProcessEnd?.();
  }
}

function channelOf(topic: string): string {
  return `live/${topic}`;
}
