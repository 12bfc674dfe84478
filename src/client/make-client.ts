import type { Observable } from 'rxjs';
import type { ActorOptions } from '../chart/chart-system.ts';
import { parentOf } from '../connection/parent.ts';
import type { ChartActor } from '../core/actor.ts';
import { checkUrl } from '../core/arguments.ts';
import type { HasChildren } from '../core/child.ts';
import type { Clock } from '../core/clock.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type { DialedConnection, FlushResult, SendResult } from '../core/connection.ts';
import type { ClientEvent } from '../core/events.ts';
import type { Recovery } from '../core/recovery.ts';
import type { Receipt, RequestOptions } from '../core/request.ts';
import {
  type ClientDependencies,
  type ClientRuntime,
  chartsFor,
  type Platform,
  reportLater,
} from './client-runtime.ts';
import { ClientStreams } from './client-streams.ts';
import type { Client, ClientSendOptions, ClientStatus, Ending } from './client-types.ts';
import type { ResolvedClientOptions } from './options.ts';
import { type ErrorReporter, ReconnectPolicy } from './reconnect/reconnect-policy.ts';
import type { Directions, Resolvable, Route } from './reconnect/route.ts';
import { usual } from './sender.ts';
import { withSigns } from './signs-watch.ts';
import { idle, SupervisedClient } from './supervised-client.ts';

/** What an entry point provides: the platform, and the options that only that platform has. */
export interface Environment {
  readonly platform: Platform;
  readonly supervisor?: HasChildren | undefined;
  readonly actors: ActorOptions;
  /** Makes the runtime of a client, or returns a shared one. */
  readonly runtimeOf: <In, Out>(options: ResolvedClientOptions<In, Out>) => ClientRuntime<In, Out>;
  /** Makes the route of a client, or returns a shared one. */
  readonly routeTo: (directions: Directions, clock: Clock) => Route;
}

/** Makes a client for a platform. @throws MooringError `invalid-argument`, or `invalid-options` for its URL */
export function makeClient<In, Out>(
  url: Resolvable<string | URL>,
  options: ResolvedClientOptions<In, Out>,
  { platform, supervisor, actors, runtimeOf, routeTo }: Environment,
): Client<In, Out> {
  checkUrl(url, 'createClient(url, options)');
  const runtime = runtimeOf(options);
  const { subprotocols, mooring, clock } = runtime.options;
  const route = routeTo({ url, subprotocols, mooring }, clock);
  const parent = parentOf(supervisor);
  const charts = chartsFor(options, parent, actors);
  const client = supervisedClient({ runtime, charts, platform, parent }, (reporter) => {
    const policy = new ReconnectPolicy(runtime.options, route.isRenewed, reporter);
    return { route, policy };
  });
  return new ClientHandle(client);
}

/**
 * Makes a client without its public side.
 * @param wayOf - makes the route and the policy, which decide where, whether and when to dial.
 */
export function supervisedClient<In, Out>(
  parts: Pick<ClientDependencies<In, Out>, 'runtime' | 'charts' | 'platform' | 'parent'>,
  wayOf: (reporter: ErrorReporter) => Pick<ClientDependencies<In, Out>, 'route' | 'policy'>,
): SupervisedClient<In, Out> {
  const { runtime, charts, parent } = parts;
  const streams = new ClientStreams<In>(idle, parts.platform.warnings);
  const platform = withSigns(parts.platform, runtime.options.signs, charts, streams);
  const { route, policy } = wayOf(reportLater(charts, streams));
  // Not spread: an object of a literal with a spread has a hidden class of its own, of 250 bytes.
  return new SupervisedClient({ runtime, charts, parent, route, policy, platform, streams });
}

/** The public side of a client. */
export class ClientHandle<In, Out> implements Client<In, Out> {
  /** What error messages call the object. */
  static readonly spokenName = 'a client';

  readonly #client: SupervisedClient<In, Out>;

  constructor(client: SupervisedClient<In, Out>) {
    this.#client = client;
  }

  get url(): string {
    return this.#client.url;
  }

  get connection(): DialedConnection<In, Out> | undefined {
    return this.#client.connection;
  }

  get status(): ClientStatus {
    return this.#client.status;
  }

  get actor(): ChartActor {
    return this.#client.actor.reader(() => undefined, this.#client.streams.report('actor'));
  }

  get status$(): Observable<ClientStatus> {
    return this.#client.streams.statuses.observable;
  }

  get messages$(): Observable<In> {
    return this.#client.streams.messages.observable;
  }

  get endings$(): Observable<Ending> {
    return this.#client.streams.endings.observable;
  }

  get events$(): Observable<ClientEvent<Out>> {
    // The messages in its events are those that were passed to `send`.
    return this.#client.streams.events.observable as Observable<ClientEvent<Out>>;
  }

  get recoveries$(): Observable<Recovery> {
    return this.#client.streams.recoveries.observable;
  }

  get positions(): Readonly<Record<string, string>> {
    return this.#client.positions;
  }

  get queuedMessages(): number {
    return this.#client.sender.queued;
  }

  send(message: Out, options: ClientSendOptions & { readonly receipt: true }): Promise<Receipt>;
  send(
    message: Out,
    options?: ClientSendOptions & { readonly receipt?: false | undefined },
  ): SendResult;
  send(message: Out, options: ClientSendOptions = usual): SendResult | Promise<Receipt> {
    if (options?.receipt === true) return this.#client.requested().sendForReceipt(message, options);
    return this.#client.used().send(message, options);
  }

  request(message: unknown, options?: RequestOptions): Promise<unknown> {
    return this.#client.requested().request(message, options);
  }

  sendAndFlush(message: Out, options: ClientSendOptions = usual): Promise<FlushResult> {
    return this.#client.used().sendAndFlush(message, options);
  }

  open(): boolean {
    return this.#client.open();
  }

  dialNow(): boolean {
    return this.#client.dialNow();
  }

  pause(): boolean {
    return this.#client.pause();
  }

  resume(): boolean {
    return this.#client.resume();
  }

  wake(): void {
    this.#client.woke();
  }

  async close(code = 1000, reason = ''): Promise<void> {
    await this.#client.stop(checkedCloseFrame(code, reason));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
