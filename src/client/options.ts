import type { Clock } from '../core/clock.ts';
import { type Codec, jsonCodec } from '../core/codec.ts';
import type { DialedConnection } from '../core/connection.ts';
import * as defaults from '../core/defaults.ts';
import type { Inspector } from '../core/inspection.ts';
import type { Limits, OverRatePolicy, Timeouts } from '../core/limits.ts';
import {
  callback,
  flag,
  type Given,
  group,
  integer,
  integers,
  isOptions,
  oneOf,
  optional,
  ordered,
  type Report,
  type Resolved,
  type Rule,
} from '../core/option-rules.ts';
import {
  type Replied,
  type RequestContext,
  type RequestRefusal,
  signalRule,
} from '../core/request.ts';
import { limitsRule, sharedRules } from '../core/shared-options.ts';
import type { StandardSchemaV1 } from '../core/standard-schema.ts';
import { type ClientHeartbeatOptions, heartbeatRule } from './heartbeat-options.ts';
import type { WatchSigns } from './host-signs.ts';
import type { BackoffOptions, RestartOptions } from './reconnect/backoff.ts';
import type { PrivateCodes, RetryDecision } from './reconnect/retry.ts';
import type { Resolvable } from './reconnect/route.ts';

/** Options of a client on every platform. Every limit is finite by default. */
export interface ClientOptions<
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
> {
  /**
   * Subprotocols to offer, in the order of preference (RFC 6455 §1.9), or a function that returns them for each attempt.
   * @default none
   */
  subprotocols?: Resolvable<readonly string[]> | undefined;
  /**
   * Whether the peer is a Mooring server. The two agree on the subprotocol `mooring.v1`. Then each checks that the code of the
   * other runs, they can make requests and confirm messages, and the server makes up for what the client misses in durable
   * topics. A browser refuses a server that knows none of the offered subprotocols, so leave it out for other servers.
   * @default false
   */
  mooring?: boolean | undefined;
  /**
   * Where an earlier client was in durable topics: its `positions`. Needs `mooring`.
   * @default nowhere
   */
  positions?: Readonly<Record<string, string>> | undefined;
  /**
   * The inbound contract, any synchronous Standard Schema. `onMessage` and `messages$` receive its output. Without it,
   * every decodable message is delivered.
   * @default none
   */
  messages?: StandardSchemaV1<unknown, In> | undefined;
  /**
   * The outbound contract, any synchronous Standard Schema. `send` takes its input, sends its output, and throws for a
   * message that breaks it.
   * @default none
   */
  sends?: StandardSchemaV1<Out, unknown> | undefined;
  /** The contract of the requests of the peer. `onRequest` receives its output. @default every decodable request */
  requests?: StandardSchemaV1<unknown, Request> | undefined;
  /** The contract of what `onRequest` returns: it takes its input, and sends its output. @default anything */
  replies?: StandardSchemaV1<Reply, unknown> | undefined;
  /** The contract of requests that you make: `request` takes its input, and sends its output. @default anything */
  asks?: StandardSchemaV1<Ask, unknown> | undefined;
  /** The contract of the answers to them. `request` resolves with its output. @default every decodable answer */
  answers?: StandardSchemaV1<unknown, Answer> | undefined;
  /** Encodes and decodes messages. @default JSON in text frames, within `limits.depthMax` and `valuesMax` */
  codec?: Codec | undefined;
  /** Decides what to do after a private close code (3000–4999). @default `never` for 4409, and `backoff` for all others */
  privateCodes?: PrivateCodes | undefined;
  /**
   * Decides when to dial again after each ending. `suggested` is what the client would do: `now`, `backoff`, `slow` or
   * `never`. If the function throws, or returns anything but these four words, the error is reported and the suggestion
   * applies. It is not called when you close the client. In a pool, `slow` and `never` open the circuit of the
   * upstream.
   * @default the suggestion
   */
  retry?: RetryDecision | undefined;
  /** How long to wait between attempts. */
  backoff?: Given<BackoffOptions> | undefined;
  /** How many attempts may end within a time before the client gives up. */
  restarts?: Given<RestartOptions> | undefined;
  /**
   * Called with each connection that opens. Send sign-in or resubscribe messages here: they leave before queued
   * messages, and before the status changes. If it returns a promise, queued messages, `messages$` and the status `up`
   * wait until the promise settles, for at most `timeouts.welcomeMs`. The connection's own `messages$` delivers at
   * once, so that you can await the answer to a sign-in. If it throws or rejects, the connection is closed with 1011
   * and the client dials again.
   *
   * Send with `connection.send`, because messages of `client.send` wait in the queue. Any result that is not a promise
   * is ignored. To release something at the end of the connection, wait until its `messages$` completes.
   */
  onOpen?: ((connection: DialedConnection<In, Out, Ask, Answer>) => unknown) | undefined;
  /**
   * Called with each message that fulfils the contract, in the order of arrival, before `messages$` emits it. If it returns
   * a promise, the message is in flight until the promise settles: see `limits.inFlightMax`. If it throws or rejects, the
   * connection is closed with 1011 and the client dials again.
   */
  onMessage?:
    | ((connection: DialedConnection<In, Out, Ask, Answer>, message: In) => unknown)
    | undefined;
  /**
   * Called with each request of the peer that fulfils the contract. What it returns, or resolves to, is the answer. To refuse the
   * request, throw or return a {@link RequestRefusal}. If it throws anything else, the peer gets the code `internal` without a
   * text, the error is reported, and the connection stays open.
   * @default requests are refused with the code `unhandled`
   */
  onRequest?:
    | ((
        connection: DialedConnection<In, Out, Ask, Answer>,
        request: Request,
        context: RequestContext,
      ) => Replied<NoInfer<Reply>>)
    | undefined;
  /**
   * What happens when a peer sends more messages than `limits.messagesPerSecondMax` allows: `pause` stops reading until the
   * rate allows more; `close` ends the connection with 1008.
   * @default 'pause'
   */
  overRate?: OverRatePolicy | undefined;
  /**
   * How many messages may wait for a connection, or for room in its socket. At the limit, the oldest is dropped.
   * @default 10_000
   */
  queueMax?: number | undefined;
  /**
   * How many bytes the queued messages may have together. At the limit, the oldest are dropped; a single larger message
   * is refused.
   * @default 16_777_216
   */
  queueBytesMax?: number | undefined;
  /**
   * How many queued messages per second the client sends after it has connected, beginning with twice as many at once.
   * Raise it if the server accepts more.
   * @default 500
   */
  queueFlushPerSecond?: number | undefined;
  /**
   * When the client dials: `at-once`, or `on-demand` at the first `send`, subscriber of `messages$` or `open()`. Until
   * then, it has no socket and does not keep the process alive.
   * @default 'at-once'
   */
  dial?: 'at-once' | 'on-demand' | undefined;
  /**
   * With `dial: 'on-demand'`, closes the connection after this many milliseconds without use. It is in use when something
   * is sent, when `onMessage` receives a message, while a message waits to leave or to be handled, and while `messages$`
   * has a subscriber. The client dials again when it is needed.
   * @default the connection stays open
   */
  idleMs?: number | undefined;
  /** How long each state of a connection may last. */
  timeouts?: Given<Timeouts> | undefined;
  /** How the client detects that the peer is gone: by pings, and by messages of your own. */
  heartbeat?: Given<ClientHeartbeatOptions> | undefined;
  /**
   * How long the peer may send no message, in milliseconds, before the client closes the connection with 4000 and dials
   * again. Pings, pongs, beats and heartbeats are not messages. Time in which reading is paused does not count.
   * @default no limit
   */
  silentMs?: number | undefined;
  /**
   * What one connection may use.
   *
   * @default those of a server, except 100,000 messages a second, 200,000 at once, 200,000 values in one, and 60,000
   * invalid ones a minute
   */
  limits?: Given<Limits> | undefined;
  /** Closes the client when the signal aborts. @default none */
  signal?: AbortSignal | undefined;
  /**
   * Reports to the client when the host goes offline, is online again or was asleep, instead of the events of a page.
   * The client calls it before it dials for the first time, and again after it was idle or had given up. If it returns
   * a function, the client calls that function when it stops, gives up or is idle.
   * @default the events of the page; elsewhere, nothing
   */
  signs?: WatchSigns | undefined;
  /** The source of time. @default the clock of the process */
  clock?: Clock | undefined;
  /** Returns a number from 0 to 1, like `Math.random`. It spreads attempts and heartbeats. @default `Math.random` */
  random?: (() => number) | undefined;
  /**
   * Receives an event for every step of every chart, as in XState's inspection API: a function, or an observer such as
   * that of `@statelyai/inspect`. The events carry no data of your application.
   * @default none
   */
  inspect?: Inspector | undefined;
}

const mustBePositions = 'must be the positions of a client: an object of strings';

/** The rules for the options of a client on every platform. */
export const clientRules = /* @__PURE__ */ (() =>
  ({
    ...sharedRules,
    ...integers(defaults.client),
    subprotocols: resolvable(sharedRules.subprotocols),
    heartbeat: heartbeatRule,
    silentMs: integer<number | undefined>(undefined),
    mooring: flag(false),
    positions: optional<Readonly<Record<string, string>>>(arePositions, mustBePositions),
    dial: oneOf<NonNullable<ClientOptions['dial']>>('at-once', 'on-demand'),
    idleMs: integer(undefined),
    privateCodes: callback<PrivateCodes>(),
    retry: callback<RetryDecision>(),
    backoff: group(integers(defaults.backoff), ordered('minMs', 'maxMs')),
    restarts: group(integers(defaults.restarts)),
    limits: limitsRule(usualLimits()),
    signal: signalRule,
    signs: callback<WatchSigns>(),
  }) satisfies Record<keyof ClientOptions, Rule<unknown>>)();

function arePositions(given: unknown): boolean {
  return isOptions(given) && Object.values(given).every((each) => typeof each === 'string');
}

/** Refuses positions that would have no effect. */
export function checkPositions(
  { mooring, positions }: Pick<Resolved<typeof clientRules>, 'mooring' | 'positions'>,
  report: Report,
): void {
  if (positions !== undefined && !mooring) report('needs mooring: true', 'positions');
}

/** Also accepts a function, which is called for each attempt. Its result is checked then. */
export function resolvable<Value>(rule: Rule<Value>): Rule<Resolvable<Value>> {
  const resolvableRule: Rule<Resolvable<Value>> = (given, report) =>
    typeof given === 'function' ? (given as () => Value) : rule(given, report);
  return Object.assign(resolvableRule, rule);
}

/** Options whose types follow from the contracts. */
type Typed = 'messages' | 'sends' | 'onOpen' | 'onMessage' | 'onRequest';

/** Options with all defaults filled in. */
export interface ResolvedClientOptions<In = unknown, Out = unknown>
  extends Readonly<Omit<Resolved<typeof clientRules>, Typed>> {
  readonly messages: StandardSchemaV1<unknown, In> | undefined;
  readonly sends: StandardSchemaV1<Out, unknown> | undefined;
  readonly codec: Codec;
  readonly onOpen: ((connection: DialedConnection<In, Out>) => unknown) | undefined;
  readonly onMessage: ((connection: DialedConnection<In, Out>, message: In) => unknown) | undefined;
  readonly onRequest:
    | ((
        connection: DialedConnection<In, Out>,
        request: unknown,
        context: RequestContext,
      ) => unknown)
    | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Refuses `idleMs` for a client that would dial again at once. */
export function checkIdle(
  { dial, idleMs }: Pick<Resolved<typeof clientRules>, 'dial' | 'idleMs'>,
  report: Report,
): void {
  if (idleMs !== undefined && dial !== 'on-demand') report("needs dial: 'on-demand'", 'idleMs');
}

/** Fills in the defaults that depend on other options, and on the platform. */
export function filled<In, Out>(
  options: Resolved<typeof clientRules>,
  clock: Clock,
): ResolvedClientOptions<In, Out> {
  options.codec ??= codecFor(options.limits);
  options.clock ??= clock;
  options.random ??= Math.random;
  return options as unknown as ResolvedClientOptions<In, Out>;
}

const usualCodec = /* @__PURE__ */ (() => codecOf(usualLimits()))();

function usualLimits(): Limits {
  return { ...defaults.limits, ...defaults.clientLimits };
}

/** All clients with the default limits share one codec. */
function codecFor(limits: Limits): Codec {
  const { depthMax, valuesMax } = usualLimits();
  const isUsual = limits.depthMax === depthMax && limits.valuesMax === valuesMax;
  return isUsual ? usualCodec : codecOf(limits);
}

function codecOf({ depthMax, valuesMax }: Limits): Codec {
  return jsonCodec(depthMax, valuesMax);
}
