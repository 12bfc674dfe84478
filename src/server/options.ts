import type { IncomingMessage } from 'node:http';
import { type Bus, isBus, mustBeBus } from '../core/bus.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { type Codec, jsonCodec } from '../core/codec.ts';
import type { Connection } from '../core/connection.ts';
import * as defaults from '../core/defaults.ts';
import type { Failure } from '../core/failure.ts';
import type { HandlerName } from '../core/guard.ts';
import type { Inspector } from '../core/inspection.ts';
import type { HeartbeatOptions, Limits, OverRatePolicy, Timeouts } from '../core/limits.ts';
import {
  callback,
  type Given,
  group,
  integers,
  invalidOptions,
  oneOf,
  optional,
  problemAt,
  type Resolved,
  type Rule,
  refuseForeign,
  resolved,
} from '../core/option-rules.ts';
import type { Replied, RequestContext, RequestRefusal } from '../core/request.ts';
import { limitsRule, sharedRules } from '../core/shared-options.ts';
import type { StandardSchemaV1 } from '../core/standard-schema.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type {
  AuthenticateContext,
  AuthenticateResult,
  HandlerConnection,
} from './authenticate-result.ts';
import {
  type AllowedHosts,
  type AllowedOrigins,
  headerRule,
  hostFault,
  originFault,
} from './request-headers.ts';
import type { SameKeyPolicy } from './supervisor-types.ts';

/** Which clients may connect, and how many. All others get an HTTP answer before any 101. */
export interface AdmissionOptions {
  /**
   * The names that you serve, as they appear in the Host header: a list, `'*'` for any name, or a function. In a list,
   * `example.com` stands for that name on any port, `example.com:8443` for one port, and `*.example.com` for every name below
   * `example.com`. Entries are compared as browsers write them. A function that throws refuses the request.
   * @default any
   */
  hosts: AllowedHosts;
  /**
   * The pages that may connect, by their Origin header: `'same'` for pages of the host that the Host header names, a list such
   * as `['https://example.com', 'https://*.example.com']`, `'*'` or `'any'` for all pages, or a function. Entries are compared
   * as browsers write them. A function that throws refuses the request. Browsers always send an Origin. A client that sends
   * none is not checked.
   *
   * `'same'` trusts the Host header. A foreign site can point a name of its own at one of your addresses, for example
   * 127.0.0.1, and its pages then have the same origin (DNS rebinding). To refuse such names, set `hosts` too.
   * @default 'same'
   */
  origins: AllowedOrigins;
  /**
   * How a client learns that `authenticate` refuses it. A page cannot read an HTTP answer. With `close`, Mooring completes the
   * upgrade and closes at once. The close code is 3000 for 401, 3003 for 403, 3008 for 408 and 4000 + status for any other
   * status, and the message is the reason. All other refusals are always HTTP answers.
   * @default 'http'
   */
  refusals: 'http' | 'close';
  /** Connections at a time, including those being admitted. Further requests get 503. @default 50_000 */
  connectionsMax: number;
  /**
   * Connections of one address. Further requests get 429. Whatever you set, one address gets at most half of `connectionsMax`,
   * so that it cannot keep all others out. Behind a proxy, set `addressOf` first.
   * @default 20_000
   */
  connectionsPerAddressMax: number;
  /**
   * Upgrade requests that are admitted per second, with bursts of twice as many. Further requests get 503. One address gets at
   * most half of both, and its further requests get 429.
   * @default 5_000
   */
  acceptsPerSecondMax: number;
  /**
   * Reads the address of a client from its request. Set it if your service is behind a proxy. The result may have a port,
   * brackets or a zone. If it returns nothing, the address of the TCP connection counts. That is the address of your proxy,
   * which may therefore use more than half of `connectionsMax` and `acceptsPerSecondMax`.
   * @default the address of the TCP connection
   */
  addressOf: (request: IncomingMessage) => string | undefined;
  /**
   * The number of leading bits, from 1 to 128, by which IPv6 addresses count as one address. A customer usually has a whole
   * network of addresses, and would otherwise get a share for each of them.
   * @default 64
   */
  ipv6PrefixBits: number;
  /**
   * Bytes of incomplete messages of all connections together. Beyond that, the connection with the oldest incomplete message is
   * closed with 1013. If `limits.payloadBytesMax` is larger, that is the default. @default 67_108_864
   */
  unfinishedBytesMax: number;
}

/** How long each state of a connection may last, and how long the bus may take. */
export interface SupervisorTimeouts extends Timeouts {
  /** How long the bus may take to confirm a message of a durable topic, in milliseconds. @default 10_000 */
  appendMs: number;
}

/** What to do with a message that breaks the inbound contract. It is never delivered. */
export type InvalidMessagePolicy = 'reply' | 'ignore' | 'close';

/** What to do with a client that offers only subprotocols that the server does not speak. */
export type UnmatchedSubprotocolsPolicy = 'refuse' | 'open';

/**
 * Options of {@link createSupervisor}. Every limit is finite by default.
 *
 * The handlers are generic so that they may stand before `authenticate`: see {@link HandlerConnection}. The parameter `none`
 * never gets a value. It makes these types differ from those of your handlers. Otherwise TypeScript would compare the two for
 * identity and fail with TS2589, unless your project sets `exactOptionalPropertyTypes`.
 *
 * @typeParam Peer - what `authenticate` returns.
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 * @typeParam Sent - the output of `sends`: what is encoded.
 * @typeParam KeyPeer - the peer as `key` sees it. It is inferred separately, because a handler that returns an expression about
 *   its peer fixes the type at that point.
 * @typeParam OpenPeer - the peer as `onOpen` sees it.
 * @typeParam SeenPeer - the peer as the other handlers see it.
 * @typeParam Ask - a request that this side may make: the input of `asks`.
 * @typeParam Answer - the answer to it: the output of `answers`.
 * @typeParam Request - a request of a peer: the output of `requests`.
 * @typeParam Reply - what `onRequest` returns: the input of `replies`.
 */
export interface SupervisorOptions<
  Peer = unknown,
  In = unknown,
  Out = unknown,
  Sent = Out,
  KeyPeer = Peer,
  OpenPeer = Peer,
  SeenPeer = Peer,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
> {
  /** The inbound contract: any synchronous Standard Schema. Handlers receive its output. @default every decodable message */
  messages?: StandardSchemaV1<unknown, In> | undefined;
  /**
   * The outbound contract: any synchronous Standard Schema. `send` and `publish` take its input, send its output, and throw for
   * a message that breaks it.
   */
  sends?: StandardSchemaV1<Out, Sent> | undefined;
  /** The contract of the requests of peers. `onRequest` receives its output. @default every decodable request */
  requests?: StandardSchemaV1<unknown, Request> | undefined;
  /** The contract of what `onRequest` returns: it takes its input, and sends its output. @default anything */
  replies?: StandardSchemaV1<Reply, unknown> | undefined;
  /** The contract of requests that you make: `connection.request` takes its input, and sends its output. @default anything */
  asks?: StandardSchemaV1<Ask, unknown> | undefined;
  /** The contract of the answers to them. `connection.request` resolves with its output. @default every decodable answer */
  answers?: StandardSchemaV1<unknown, Answer> | undefined;
  /** How messages are encoded and decoded. @default JSON in text frames, within `limits.depthMax` and `valuesMax` */
  codec?: Codec | undefined;
  /**
   * What happens after an invalid message. `reply` sends the peer an error message with the path of the fault, `ignore` does
   * nothing, and `close` ends the connection (1003, 1007 or 1008). Each of them emits `message.invalid`. If the codec cannot
   * encode the error message, `reply` acts like `close`. Whatever you choose, more than `limits.invalidPerMinuteMax` invalid
   * messages in a minute end the connection with 1008.
   * @default 'reply'
   */
  invalidMessages?: InvalidMessagePolicy | undefined;
  /**
   * What happens when a peer sends more messages than `limits.messagesPerSecondMax` allows. `pause` stops reading until the
   * rate allows more, so a burst is only delayed. `close` ends the connection with 1008. @default 'pause'
   */
  overRate?: OverRatePolicy | undefined;
  /** Subprotocols that the server speaks, best first (RFC 6455 §1.9). @default none */
  subprotocols?: readonly string[] | undefined;
  /**
   * What happens to a client that offers only subprotocols that the server does not speak. Browsers, and most other clients,
   * fail such a connection as soon as it opens. `refuse` answers 400 before `authenticate` runs and names both lists. `open`
   * lets the connection open without a subprotocol.
   * @default 'refuse'
   */
  unmatchedSubprotocols?: UnmatchedSubprotocolsPolicy | undefined;

  /**
   * Decides who may connect. Its result is `connection.peer`. With {@link admitted}, it can also set headers, a time after
   * which the connection expires, and something to release at the end.
   *
   * To refuse, throw or return a {@link Refusal}. The results `false`, `null` and `undefined` refuse with 401. Any other error
   * that it throws is answered with 500. @default every client is admitted, without a peer
   */
  authenticate?(
    request: IncomingMessage,
    context: AuthenticateContext,
  ): AuthenticateResult<Peer> | Promise<AuthenticateResult<Peer>>;
  /** Returns the name under which `byKey` finds the connection, for example the id of the user. */
  key?(peer: KeyPeer): string | undefined;
  /**
   * What happens when a connection opens whose key other open connections have, in any process of the service. `newest` closes
   * the others with 4409 and the reason `replaced`. A Mooring client then does not dial again, so two tabs do not fight.
   * @default 'many'
   */
  sameKey?: SameKeyPolicy | undefined;
  /**
   * Called when the connection is open. No message is delivered before this handler settles, and none is lost. It may return,
   * or resolve to, something to release at the end: a disposer function, an RxJS `Subscription`, a `Disposable` or an
   * `AsyncDisposable`. It is released exactly once, when `onClose` has settled, or after `timeouts.welcomeMs` if `onClose`
   * takes longer. Any other result is ignored.
   */
  onOpen?<Opened extends Connection<OpenPeer, In, Out, Ask, Answer>>(
    connection: HandlerConnection<KeyPeer, In, Out, Opened, Ask, Answer>,
    ...none: never[]
  ): unknown;
  /**
   * Called with each message that fulfils the contract, in the order of arrival. If it returns a promise, the next message does
   * not wait for it, unless `limits.inFlightMax` promises have not settled. Set that limit to 1 to handle messages strictly one
   * after another.
   */
  onMessage?<Seen extends Connection<SeenPeer, In, Out, Ask, Answer>>(
    connection: HandlerConnection<KeyPeer, In, Out, Seen, Ask, Answer>,
    message: In,
    ...none: never[]
  ): unknown;
  /**
   * Called with each request that fulfils the contract. What it returns, or resolves to, is the answer. To refuse the request,
   * throw or return a {@link RequestRefusal}.
   *
   * If it throws anything else, the peer gets the code `internal` without a text, the error is reported, and the connection stays
   * open, because the peer learns that its request has failed. It runs side by side with `onMessage`, under the same limits.
   * @default requests are refused with the code `unhandled`
   */
  onRequest?<Seen extends Connection<SeenPeer, In, Out, Ask, Answer>>(
    connection: HandlerConnection<KeyPeer, In, Out, Seen, Ask, Answer>,
    request: Request,
    context: RequestContext,
    ...none: never[]
  ): Replied<NoInfer<Reply>>;
  /** Called when the peer has started to close. You can no longer send. */
  onClosing?<Seen extends Connection<SeenPeer, In, Out, Ask, Answer>>(
    connection: HandlerConnection<KeyPeer, In, Out, Seen, Ask, Answer>,
    code: number,
    reason: string,
    ...none: never[]
  ): unknown;
  /**
   * Called exactly once if and only if `onOpen` was called. It waits until `onOpen` has settled, for `timeouts.welcomeMs` at
   * most.
   */
  onClose?<Seen extends Connection<SeenPeer, In, Out, Ask, Answer>>(
    connection: HandlerConnection<KeyPeer, In, Out, Seen, Ask, Answer>,
    verdict: CloseVerdict,
    ...none: never[]
  ): unknown;
  /** Called exactly once for every connection that never opened. */
  onFailed?(failure: Failure): unknown;
  /** Called when a handler threw or rejected. Return `'keep'` to keep its connection; any other result closes it with 1011. */
  onHandlerError?<Seen extends Connection<SeenPeer, In, Out, Ask, Answer>>(
    error: Error,
    handler: HandlerName,
    connection: HandlerConnection<KeyPeer, In, Out, Seen, Ask, Answer> | undefined,
    ...none: never[]
  ): unknown;

  /** Who may connect, and how many. */
  admission?: Given<AdmissionOptions> | undefined;
  /** How long each state may last. */
  timeouts?: Given<SupervisorTimeouts> | undefined;
  /** When a silent peer is pinged, and when it counts as lost. */
  heartbeat?: Given<HeartbeatOptions> | undefined;
  /** What one connection may use. */
  limits?: Given<Limits> | undefined;

  /**
   * What this process shares with the others of its service: their members get what you publish here, and the other way round.
   * `memoryBus()` serves supervisors of one process, `natsBus()` of `mooring/nats` several processes. @default none
   */
  bus?: Bus | undefined;

  /**
   * Tells whether a topic is durable: what you append to it is kept, and members that were away or are too slow get it later.
   * It must return the same for a name each time, in every process. Without a bus, messages are kept in this process.
   * `limits.payloadBytesMax` must be at least 1,024, because clients tell where they were in messages of that length.
   * @default none is
   */
  durable?: ((topic: string) => boolean) | undefined;

  /** The source of time. @default the clock of the process */
  clock?: Clock | undefined;
  /** Returns a number from 0 to 1, like `Math.random`. It decides where in their interval heartbeats begin. */
  random?: (() => number) | undefined;
  /**
   * Receives an event for every step of every chart, in the form of XState's inspection API: a function, or an observer such as
   * that of `@statelyai/inspect`. The events carry no data of your application. @default none
   */
  inspect?: Inspector | undefined;
  /**
   * When a connection, client or pool of this supervisor gets its XState actor: `eager` when it begins, `on-demand` when you
   * read its `actor`. With `on-demand`, a connection takes 1.6 KB less memory, and about 8 µs less CPU. With
   * `inspect`, all actors are eager.
   * @default 'eager'
   */
  actors?: 'eager' | 'on-demand' | undefined;
}

const supervisorRules = {
  ...sharedRules,
  invalidMessages: oneOf<InvalidMessagePolicy>('reply', 'ignore', 'close'),
  unmatchedSubprotocols: oneOf<UnmatchedSubprotocolsPolicy>('refuse', 'open'),
  sameKey: oneOf<SameKeyPolicy>('many', 'newest'),
  authenticate: callback(),
  key: callback(),
  onClosing: callback(),
  onClose: callback(),
  onFailed: callback(),
  onHandlerError: callback(),
  admission: group({
    hosts: headerRule<AllowedHosts | undefined>(undefined, ['*'], hostFault),
    origins: headerRule<AllowedOrigins>('same', ['same', 'any', '*'], originFault),
    refusals: oneOf<AdmissionOptions['refusals']>('http', 'close'),
    addressOf: callback<AdmissionOptions['addressOf']>(),
    ...integers(defaults.admission, defaults.bounds),
  } satisfies Record<keyof AdmissionOptions, Rule<unknown>>),
  limits: limitsRule(defaults.limits),
  bus: optional<Bus>(isBus, mustBeBus),
  durable: callback<(topic: string) => boolean>(),
  timeouts: group(integers({ ...defaults.timeouts, ...defaults.supervisorTimeouts })),
  actors: oneOf<NonNullable<SupervisorOptions['actors']>>('eager', 'on-demand'),
} satisfies Record<keyof SupervisorOptions, Rule<unknown>>;

/** What replaces the options of other servers. */
const insteads: Readonly<Record<string, string>> = {
  cors: 'use admission.origins',
  handleProtocols: 'use subprotocols',
  maxHttpBufferSize: 'use limits.payloadBytesMax',
  maxPayload: 'use limits.payloadBytesMax',
  onError: 'use onHandlerError for errors of your functions, and onClose for those of sockets',
  path: 'pass it to attach or listen',
  perMessageDeflate: 'messages are never compressed',
  pingInterval: 'use heartbeat.intervalMs',
  pingTimeout: 'use heartbeat.graceMs',
  port: 'pass it to listen',
  server: 'use attach(server, supervisor)',
  verifyClient: 'use authenticate',
};

type Numbers = 'timeouts' | 'heartbeat' | 'limits';
type Words =
  | 'invalidMessages'
  | 'overRate'
  | 'subprotocols'
  | 'unmatchedSubprotocols'
  | 'sameKey'
  | 'actors';

/** Options with every default filled in. */
export interface ResolvedOptions<Peer = unknown, In = unknown, Out = unknown, Sent = Out>
  extends Omit<SupervisorOptions<Peer, In, Out, Sent>, Numbers | Words | 'admission'>,
    Readonly<Pick<Resolved<typeof supervisorRules>, Numbers | Words>> {
  readonly codec: Codec;
  readonly admission: Readonly<
    Omit<AdmissionOptions, 'hosts' | 'addressOf'> & {
      hosts: AllowedHosts | undefined;
      addressOf: AdmissionOptions['addressOf'] | undefined;
    }
  >;
  readonly clock: Clock;
  readonly random: () => number;
}

/** What a server with durable topics takes at least, because clients tell where they were in messages of that length, in bytes. */
const DURABLE_PAYLOAD_BYTES = 1_024;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws MooringError `invalid-options`, with the path of every wrong option.
 */
export function resolveOptions<Peer, In, Out, Sent>(
  options: SupervisorOptions<Peer, In, Out, Sent>,
): ResolvedOptions<Peer, In, Out, Sent> {
  refuseForeign(options, insteads);
  const checked = resolved(options, supervisorRules);
  const { admission, limits } = checked;
  if (checked.durable !== undefined && limits.payloadBytesMax < DURABLE_PAYLOAD_BYTES) {
    const problem = `must be at least ${DURABLE_PAYLOAD_BYTES} with durable topics`;
    throw invalidOptions([problemAt(options, ['limits', 'payloadBytesMax'], problem)]);
  }
  // One message always fits, unless the option is set lower.
  const unfinishedBytesMax =
    options.admission?.unfinishedBytesMax ??
    Math.max(admission.unfinishedBytesMax, limits.payloadBytesMax);
  return Object.freeze({
    ...checked,
    admission: { ...admission, unfinishedBytesMax },
    clock: checked.clock ?? systemClock,
    random: checked.random ?? Math.random,
    codec: checked.codec ?? jsonCodec(limits.depthMax, limits.valuesMax),
  }) as unknown as ResolvedOptions<Peer, In, Out, Sent>;
}
