import { randomInt } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { BusHost, BusLink, Interest } from '../../core/bus.ts';
import type { TimerHandle } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import { type InterestLink, NatsInterest } from './nats-interest.ts';
import type { ResolvedNatsBusOptions } from './options.ts';
import { probe } from './probe.ts';
import { SendWindow } from './send-window.ts';
import { Sender, Senders } from './sender.ts';
import { subjectOf } from './subject.ts';

/** The usual limit of a server, until it has told its own. */
const PAYLOAD_BYTES_MAX = 1_048_576;

/** An unreachable server is noticed after three of these. */
const PING_INTERVAL_MS = 2_000;
const PINGS_OUT_MAX = 2;

/** How long one attempt to connect may take. */
const ATTEMPT_MS = 2_000;

/** The pause between attempts. Up to as much is added at random, so that processes do not come back in step. */
const RETRY_MS = 250;

/** How long a stale connection may take to disconnect, and the last messages to leave at the end. */
const LEAVE_MS = 1_000;

/** Channels that are subscribed to in one turn of the event loop. */
const SUBSCRIBED_PER_TURN = 1_000;

type Heard = (message: Uint8Array) => void;

/** The link of one supervisor to NATS. */
export class NatsLink implements BusLink, InterestLink {
  readonly host: BusHost;
  readonly #options: ResolvedNatsBusOptions;
  readonly #interests = new Map<string, NatsInterest>();
  readonly #window = new SendWindow();
  readonly #sender = new Sender();
  readonly senders = new Senders();
  /** Connects again by itself. It is replaced if it is lost for good. */
  #nats: NatsConnection | null = null;
  #state: 'up' | 'down' | null = null;
  readonly #closed = new AbortController();
  #staleTimer: TimerHandle | null = null;
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
    // nats.js takes messages while it is disconnected, and drops them.
    if (nats === null || this.#state !== 'up' || this.#isClosed || nats.isClosed()) return false;
    if (!this.#window.take(nats, message.length)) return false;
    const { mark: reply } = this.#sender;
    nats.publish(subjectOf(this.#options.name, channel), message, { reply });
    return true;
  }

  listen(channel: string, heard: Heard): Interest {
    const interest = new NatsInterest(this, channel, heard);
    this.#interests.set(channel, interest);
    if (this.#nats !== null) this.#subscribe(interest, this.#nats);
    return interest;
  }

  /** Called by an interest that ends. */
  forget(interest: NatsInterest): void {
    if (this.#interests.get(interest.channel) === interest)
      this.#interests.delete(interest.channel);
  }

  /** Resolves when the server has everything that was sent before, or the connection is lost. */
  async confirmed(): Promise<void> {
    if (this.#state === 'up') await this.#nats?.flush().catch(() => {});
  }

  get #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return this.#ended;
    const last = this.confirmed();
    this.#closed.abort();
    this.#endPause();
    if (this.#state === 'up') await Promise.race([last, this.#pause(LEAVE_MS)]);
    this.#endPause();
    await this.#end(this.#nats);
    await this.#ended;
  }

  /** Connects, and connects anew whenever a connection is lost for good. */
  async #run(): Promise<void> {
    // Not from within `open`.
    await Promise.resolve();
    while (!this.#isClosed) {
      try {
        await this.#serve(await this.#connect());
      } catch (thrown) {
        this.#moved('down', toError(thrown));
      }
      this.#nats = null;
      if (!this.#isClosed) await this.#pause(RETRY_MS + randomInt(RETRY_MS));
    }
  }

  async #connect(): Promise<NatsConnection> {
    const { servers, connection } = this.#options;
    const all = typeof servers === 'string' ? [servers] : [...servers];
    if (connection?.tls?.handshakeFirst !== true) await probe(all, ATTEMPT_MS, this.#closed.signal);
    return connect({
      timeout: ATTEMPT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: PINGS_OUT_MAX,
      reconnectTimeWait: RETRY_MS,
      reconnectJitter: RETRY_MS,
      ...connection,
      servers: all,
      noEcho: true,
      maxReconnectAttempts: -1,
      // Credentials that are refused now may be accepted later.
      ignoreAuthErrorAbort: true,
    });
  }

  /** Serves a connection until it is lost for good, or closed. */
  async #serve(nats: NatsConnection): Promise<void> {
    const statuses = nats.status();
    this.#nats = nats;
    if (this.#isClosed) return this.#end(nats);
    await this.#subscribeAll(nats);
    if (!nats.isClosed()) this.#moved('up');
    for await (const status of statuses) {
      switch (status.type) {
        case 'reconnect':
          this.#moved('up');
          break;
        case 'disconnect':
          this.#forgetStale();
          this.#moved('down');
          break;
        case 'staleConnection':
          this.#moved('down', new Error('the NATS server does not answer'));
          // It does not disconnect as long as its last bytes cannot leave.
          this.#staleTimer ??= this.host.clock.setTimer(LEAVE_MS, () => void this.#end(nats));
          break;
        case 'error':
          if (this.#state === 'up') this.host.errored(status.error);
          break;
        default:
      }
    }
    this.#forgetStale();
    const error = await nats.closed();
    this.#moved('down', error instanceof Error ? error : undefined);
  }

  #forgetStale(): void {
    if (this.#staleTimer !== null) this.host.clock.clearTimer(this.#staleTimer);
    this.#staleTimer = null;
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

  /** Closes a connection. The socket of an attempt to connect again would stay, and keep the process alive. */
  async #end(nats: NatsConnection | null): Promise<void> {
    if (nats === null) return;
    await nats.close();
    const { protocol } = nats as { protocol?: { transport?: { discard?(): void } } };
    protocol?.transport?.discard?.();
  }

  #moved(to: 'up' | 'down', error?: Error): void {
    if (this.#isClosed || this.#state === to) return;
    this.#state = to;
    this.#window.reset();
    if (to === 'up') this.#sender.connected();
    this.host.moved(to, error);
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
