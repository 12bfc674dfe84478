import { randomInt } from 'node:crypto';
import {
  AuthorizationError,
  type Msg,
  type NatsConnection,
  type Status,
  UserAuthenticationExpiredError,
} from '@nats-io/transport-node';
import type { BusHost, BusLink, Interest } from '../../core/bus.ts';
import type { BusLog, LogHost } from '../../core/bus-log.ts';
import type { Clock } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import { attempt } from './attempt.ts';
import { type LogLink, NatsLog } from './log/nats-log.ts';
import { type InterestLink, NatsInterest } from './nats-interest.ts';
import type { ResolvedNatsBusOptions } from './options.ts';
import { SendWindow } from './send-window.ts';
import { Sender, Senders } from './sender.ts';
import { subjectOf } from './subject.ts';

/** The usual limit of a server, until it has told its own. */
const PAYLOAD_BYTES_MAX = 1_048_576;

/** The pause between attempts. Up to as much is added at random, so that processes do not come back in step. */
const RETRY_MS = 250;

/** How long the last messages may take to leave. */
const LEAVE_MS = 1_000;

/** Channels that are subscribed to in one turn of the event loop. */
const SUBSCRIBED_PER_TURN = 1_000;

/** How many lots there are to draw from. */
const LOTS = 2 ** 32;

/** The link of one supervisor to NATS. */
export class NatsLink implements BusLink, InterestLink, LogLink {
  readonly host: BusHost;
  readonly #options: ResolvedNatsBusOptions;
  readonly #interests = new Map<string, NatsInterest>();
  readonly #window = new SendWindow();
  readonly #sender = new Sender();
  readonly #senders = new Senders(this.#sender);
  #log: NatsLog | null = null;
  /** It does not connect again when it is lost. Another one takes its place. */
  #nats: NatsConnection | null = null;
  #state: 'up' | 'down' | null = null;
  /** Whether the host knows that the credentials are refused. */
  #isRefused = false;
  /** Ends the waits for an answer of the server: nats.js never settles those of a connection that is lost. */
  readonly #waiting = new Set<() => void>();
  /** Errors that are not reported. */
  readonly #ignored = new WeakSet<Error>();
  readonly #closed = new AbortController();
  /** Ends the pause between two attempts. */
  #endPause: () => void = () => {};
  readonly #ended: Promise<void>;

  constructor(options: ResolvedNatsBusOptions, host: BusHost) {
    this.#options = options;
    this.host = host;
    this.#ended = this.#run();
  }

  get payloadBytesMax(): number {
    return this.#nats?.info?.max_payload ?? PAYLOAD_BYTES_MAX;
  }

  publish(channel: string, message: Uint8Array): boolean {
    const nats = this.#nats;
    if (nats === null || this.#state !== 'up' || this.#isClosed || nats.isClosed()) return false;
    const subject = subjectOf(this.#options.name, channel);
    if (!this.#window.take(nats, subject.length + message.length)) return false;
    const { mark: reply } = this.#sender;
    nats.publish(subject, message, { reply });
    return true;
  }

  listen(channel: string, heard: (message: Uint8Array) => void): Interest {
    return this.hear(channel, ({ reply, data }) => {
      if (this.#senders.accepts(reply)) heard(data);
    });
  }

  hear(channel: string, heard: (message: Msg) => void): Interest {
    const interest = new NatsInterest(this, channel, heard);
    this.#interests.set(channel, interest);
    if (this.#nats !== null) this.#subscribe(interest, this.#nats);
    return interest;
  }

  openLog(host: LogHost): BusLog {
    this.#log = new NatsLog(this.#options, this, host);
    if (this.#nats !== null && this.#state === 'up') this.#log.connected(this.#nats);
    return this.#log;
  }

  get clock(): Clock {
    return this.host.clock;
  }

  /** Called by an interest that ends. */
  forget(interest: NatsInterest): void {
    if (this.#interests.get(interest.channel) === interest)
      this.#interests.delete(interest.channel);
  }

  /** Called by an interest that is refused again. */
  ignore(error: Error): void {
    this.#ignored.add(error);
  }

  /** Resolves when the server has everything that was sent before, or the connection is lost. */
  confirmed(): Promise<void> {
    const nats = this.#nats;
    if (nats === null || nats.isClosed()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      nats.flush().then(done, done);
    });
  }

  get #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return this.#ended;
    this.#log?.close();
    const last = this.confirmed();
    this.#closed.abort();
    this.#endPause();
    if (this.#state === 'up') await Promise.race([last, this.#pause(LEAVE_MS)]);
    this.#endPause();
    await this.#nats?.close();
    await this.#ended;
  }

  /** Connects, and connects anew whenever the connection is lost. */
  async #run(): Promise<void> {
    // Not from within `open`.
    await Promise.resolve();
    while (!this.#isClosed) {
      try {
        await this.#serve(await this.#connect());
      } catch (thrown) {
        this.#failed(toError(thrown));
      }
      if (!this.#isClosed) await this.#pause(RETRY_MS + randomInt(RETRY_MS));
    }
  }

  /** Tries one server after the other. @throws Error of the last one, or of the last that refuses the credentials */
  async #connect(): Promise<NatsConnection> {
    let problem: unknown;
    for (const server of inOrder(this.#options)) {
      try {
        return await attempt(server, this.#options.connection, this.#closed.signal);
      } catch (thrown) {
        // Credentials do not become right by themselves.
        if (!isRefusal(problem) || isRefusal(thrown)) problem = thrown;
      }
      if (this.#isClosed) break;
    }
    throw problem;
  }

  /** Serves a connection until it is lost or closed. */
  async #serve(nats: NatsConnection): Promise<void> {
    const ended = this.#noteAll(nats.status());
    this.#nats = nats;
    try {
      if (this.#isClosed) return;
      // It may be lost before it is up.
      await Promise.race([this.#begin(nats), ended]);
      await ended;
    } finally {
      this.#lost();
      await nats.close();
    }
    const error = await nats.closed();
    this.#moved('down', error instanceof Error ? error : undefined);
  }

  async #noteAll(statuses: AsyncIterable<Status>): Promise<void> {
    for await (const status of statuses) this.#noted(status);
  }

  /** The link is up when the server has its subscriptions: what the others publish from then on is heard. */
  async #begin(nats: NatsConnection): Promise<void> {
    await this.#subscribeAll(nats);
    await this.confirmed();
    if (this.#isClosed || this.#nats !== nats || nats.isClosed()) return;
    this.#log?.connected(nats);
    this.#moved('up');
  }

  #lost(): void {
    this.#nats = null;
    for (const done of this.#waiting) done();
    this.#log?.disconnected();
  }

  #noted(status: Status): void {
    switch (status.type) {
      case 'disconnect':
        // What is published from here on cannot leave.
        this.#lost();
        break;
      case 'staleConnection':
        this.#moved('down', new Error('the NATS server does not answer'));
        // Otherwise it waits until its last bytes have left.
        void this.#nats?.close();
        break;
      case 'update':
        // A server of the cluster is there, or there again.
        if (this.#state === 'up' && (status.added ?? []).length > 0) this.host.rejoined();
        break;
      case 'error':
        // nats.js then disconnects as if the server did not answer.
        if (isRefusal(status.error)) this.#moved('down', status.error);
        else if (!this.#ignored.has(status.error)) this.host.errored(status.error);
        break;
      default:
    }
  }

  /** In slices, because a node may have 100,000 topics. */
  async #subscribeAll(nats: NatsConnection): Promise<void> {
    let count = 0;
    for (const interest of this.#interests.values()) {
      if (nats.isClosed()) return;
      this.#subscribe(interest, nats);
      count += 1;
      if (count % SUBSCRIBED_PER_TURN === 0) await this.#nextTurn();
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.host.clock.afterPoll(resolve));
  }

  #subscribe(interest: NatsInterest, nats: NatsConnection): void {
    interest.subscribe(nats, subjectOf(this.#options.name, interest.channel));
  }

  #moved(to: 'up' | 'down', error?: Error): void {
    if (this.#isClosed || this.#state === to) return;
    this.#state = to;
    this.#isRefused = error !== undefined && isRefusal(error);
    this.#window.reset();
    if (to === 'up') this.#sender.connected();
    this.host.moved(to, error);
  }

  /** An attempt has failed. The reason may be another one than that of the loss. */
  #failed(error: Error): void {
    this.#moved('down', error);
    if (this.#isClosed || this.#isRefused || !isRefusal(error)) return;
    this.#isRefused = true;
    this.host.errored(error);
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.host;
    return new Promise((resolve) => {
      const timer = clock.setTimer(ms, resolve);
      this.#endPause = () => {
        clock.clearTimer(timer);
        resolve();
      };
    });
  }
}

/** The servers in random order, so that processes spread over them. */
function inOrder({ servers, connection }: ResolvedNatsBusOptions): string[] {
  const all = typeof servers === 'string' ? [servers] : [...servers];
  if (connection?.noRandomize === true) return all;
  const drawn = all.map((server) => ({ server, lot: randomInt(LOTS) }));
  return drawn.sort((one, other) => one.lot - other.lot).map(({ server }) => server);
}

/** Whether the server refuses the credentials, now or any longer. */
function isRefusal(error: unknown): boolean {
  return error instanceof AuthorizationError || error instanceof UserAuthenticationExpiredError;
}
