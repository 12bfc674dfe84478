import type { IncomingMessage } from 'node:http';
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
  oneOf,
  type Resolved,
  type Rule,
  resolved,
} from '../core/option-rules.ts';
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

/** Which clients may connect, and how many. All others get an HTTP answer before any 101. */
export interface AdmissionOptions {
  /**
   * The names that you serve, as the Host header has them: a list, in which `example.com` stands for that name on any
   * port, `example.com:8443` for one port, and `*.example.com` for every name below `example.com`; `'*'` for any;
   * or a function. Entries are compared as browsers write them. A function that throws refuses the request.
   * @default any
   */
  hosts: AllowedHosts;
  /**
   * The pages that may connect, by their Origin header: `'same'` for those of the host that the Host header names, a list
   * such as `['https://example.com', 'https://*.example.com']`, `'*'` or `'any'` for all of them, or a function.
   * Entries are compared as browsers write them. A function that throws refuses the request. Clients that send no
   * Origin, as browsers always do, are not judged by it.
   *
   * `'same'` trusts the Host header. A foreign site can point a name of its own at an address of yours, 127.0.0.1 for
   * example, and its pages then have the same origin (DNS rebinding). Set `hosts`, too: then such a name is refused.
   * @default 'same'
   */
  origins: AllowedOrigins;
  /**
   * How a client that `authenticate` refuses gets the refusal. A page cannot read an HTTP answer. With `close`, Mooring
   * completes the upgrade and closes at once, with 3000 for 401, 3003 for 403, 3008 for 408 and 4000 + status for any
   * other, and with the message as the reason. All other refusals are HTTP answers in any case.
   * @default 'http'
   */
  refusals: 'http' | 'close';
  /** Connections at once, those being admitted included; beyond it 503. @default 50_000 */
  connectionsMax: number;
  /**
   * Connections of one address; beyond it 429. In any case, one address gets at most half of `connectionsMax`, so that it
   * cannot keep all others out. Behind a proxy, set `addressOf` first.
   * @default 20_000
   */
  connectionsPerAddressMax: number;
  /**
   * Upgrade requests admitted per second, with bursts of twice as many; beyond it 503. One address gets at most half
   * of both; beyond it 429.
   * @default 5_000
   */
  acceptsPerSecondMax: number;
  /**
   * Reads the address of a client from its request. Set it if your service is behind a proxy. The result may have a port,
   * brackets or a zone. If it returns nothing, the address of the TCP connection counts: that is your proxy's, so it may
   * use more than half of `connectionsMax` and `acceptsPerSecondMax`.
   * @default the address of the TCP connection
   */
  addressOf: (request: IncomingMessage) => string | undefined;
  /**
   * IPv6 addresses count as one address if this many leading bits are equal, from 1 to 128. A customer usually has a whole
   * network of addresses, and would otherwise have a share for each of them.
   * @default 64
   */
  ipv6PrefixBits: number;
  /**
   * Bytes of incomplete messages of all connections; beyond it the connection with the oldest incomplete message gets 1013.
   * If `limits.payloadBytesMax` is larger, that is the default. @default 67_108_864
   */
  unfinishedBytesMax: number;
}

/** What to do with a message that breaks the inbound contract; it is never delivered. */
export type InvalidMessagePolicy = 'reply' | 'ignore' | 'close';

/** What to do with a client that offers only subprotocols that the server does not speak. */
export type UnmatchedSubprotocolsPolicy = 'refuse' | 'open';

/**
 * Options of {@link createSupervisor}. Every limit is finite by default.
 *
 * The handlers are generic so that they may stand before `authenticate`: see {@link HandlerConnection}. The parameter
 * `none` never gets a value. It makes these types differ from those of your handlers; otherwise TypeScript compares the
 * two for identity and fails with TS2589, unless your project sets `exactOptionalPropertyTypes`.
 *
 * @typeParam Peer - what `authenticate` returns.
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 * @typeParam Sent - the output of `sends`: what is encoded.
 * @typeParam KeyPeer - the peer as `key` sees it. It is inferred separately, because a handler that returns an expression
 *   about its peer fixes the type at that point.
 * @typeParam OpenPeer - the peer as `onOpen` sees it.
 * @typeParam SeenPeer - the peer as the other handlers see it.
 */
export interface SupervisorOptions<
  Peer = unknown,
  In = unknown,
  Out = unknown,
  Sent = Out,
  KeyPeer = Peer,
  OpenPeer = Peer,
  SeenPeer = Peer,
> {
  /** The inbound contract, any synchronous Standard Schema. Handlers get its output. @default every decodable message */
  messages?: StandardSchemaV1<unknown, In> | undefined;
  /**
   * The outbound contract, any synchronous Standard Schema. `send` and `publish` take its input, send its output, and throw
   * for a message that breaks it.
   */
  sends?: StandardSchemaV1<Out, Sent> | undefined;
  /** How messages are written. @default JSON in text frames, within `limits.depthMax` and `valuesMax` */
  codec?: Codec | undefined;
  /**
   * What happens after an invalid message. `reply` sends the peer an error message with the path of the fault, `ignore` does
   * nothing, and `close` ends the connection (1003, 1007 or 1008). Each of them emits `message.invalid`. If the codec cannot
   * write the error message, `reply` acts like `close`. In any case, more than `limits.invalidPerMinuteMax` invalid
   * messages end the connection with 1008.
   * @default 'reply'
   */
  invalidMessages?: InvalidMessagePolicy | undefined;
  /**
   * What happens when a peer sends more messages than `limits.messagesPerSecondMax` allows: `pause` stops reading until the
   * rate allows more, so a burst is only delayed; `close` ends the connection with 1008. @default 'pause'
   */
  overRate?: OverRatePolicy | undefined;
  /** Subprotocols that the server speaks, best first (RFC 6455 §1.9). @default none */
  subprotocols?: readonly string[] | undefined;
  /**
   * What happens to a client that offers only subprotocols that the server does not speak. Browsers, and most other clients,
   * fail such a connection as soon as it opens. `refuse` answers 400 before `authenticate` runs, and names both lists. `open`
   * lets the connection open without a subprotocol.
   * @default 'refuse'
   */
  unmatchedSubprotocols?: UnmatchedSubprotocolsPolicy | undefined;

  /**
   * Decides who may connect. What it returns is `connection.peer`; with {@link admitted} it can set headers, a
   * time after which the connection expires, and what to release at the end.
   *
   * Throw or return a {@link Refusal} to refuse; `false`, `null` and `undefined` refuse with 401. Anything else that
   * it throws is answered with 500. @default everybody is let in, without a peer
   */
  authenticate?(
    request: IncomingMessage,
    context: AuthenticateContext,
  ): AuthenticateResult<Peer> | Promise<AuthenticateResult<Peer>>;
  /** Returns a name under which `byKey` finds the connection, for example the id of the user. */
  key?(peer: KeyPeer): string | undefined;
  /**
   * The connection is open. No message is delivered before this handler settles, and none is lost. It may return, or resolve
   * to, something to release at the end: a disposer function, an RxJS `Subscription`, a `Disposable` or an
   * `AsyncDisposable`. It is released exactly once, when `onClose` has settled, or after `timeouts.welcomeMs` if that takes
   * longer. Any other result is ignored.
   */
  onOpen?<Opened extends Connection<OpenPeer, In, Out>>(
    connection: HandlerConnection<KeyPeer, In, Out, Opened>,
    ...none: never[]
  ): unknown;
  /**
   * A message that fulfils the contract, in the order of arrival. If it returns a promise, the next message does not wait
   * for it, unless `limits.inFlightMax` promises have not settled. Set that limit to 1 to handle messages strictly one after
   * another.
   */
  onMessage?<Seen extends Connection<SeenPeer, In, Out>>(
    connection: HandlerConnection<KeyPeer, In, Out, Seen>,
    message: In,
    ...none: never[]
  ): unknown;
  /** The peer has started to close. You cannot send any more. */
  onClosing?<Seen extends Connection<SeenPeer, In, Out>>(
    connection: HandlerConnection<KeyPeer, In, Out, Seen>,
    code: number,
    reason: string,
    ...none: never[]
  ): unknown;
  /** Called exactly once if and only if `onOpen` was, after it has settled. */
  onClose?<Seen extends Connection<SeenPeer, In, Out>>(
    connection: HandlerConnection<KeyPeer, In, Out, Seen>,
    verdict: CloseVerdict,
    ...none: never[]
  ): unknown;
  /** Called exactly once for every connection that never opened. */
  onFailed?(failure: Failure): unknown;
  /**
   * A handler threw or rejected. Return `'keep'` to keep its connection; otherwise it is closed with 1011.
   */
  onHandlerError?<Seen extends Connection<SeenPeer, In, Out>>(
    error: Error,
    handler: HandlerName,
    connection: HandlerConnection<KeyPeer, In, Out, Seen> | undefined,
    ...none: never[]
  ): unknown;

  /** Who may connect, and how many. */
  admission?: Given<AdmissionOptions> | undefined;
  /** How long each state may last. */
  timeouts?: Given<Timeouts> | undefined;
  /** When a silent peer is asked for proof of life. */
  heartbeat?: Given<HeartbeatOptions> | undefined;
  /** What one connection may use. */
  limits?: Given<Limits> | undefined;

  /** Time. @default the clock of the process */
  clock?: Clock | undefined;
  /** Returns a number from 0 to 1, like `Math.random`. It decides where in their interval the heartbeats begin. */
  random?: (() => number) | undefined;
  /**
   * Gets an event for every step of every chart, as in XState's inspection API: a function, or an observer such as that of
   * `@statelyai/inspect`. The events carry no data of your application. @default none
   */
  inspect?: Inspector | undefined;
  /**
   * When a connection, client or pool of this supervisor gets its XState actor: `eager` when it begins, `on-demand` when you ask
   * for its `actor`. With `on-demand` a connection takes 1.6 KB less, and about 10 µs less to come and go. With `inspect`, all
   * actors are eager.
   * @default 'eager'
   */
  actors?: 'eager' | 'on-demand' | undefined;
}

const supervisorRules = {
  ...sharedRules,
  invalidMessages: oneOf<InvalidMessagePolicy>('reply', 'ignore', 'close'),
  unmatchedSubprotocols: oneOf<UnmatchedSubprotocolsPolicy>('refuse', 'open'),
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
  actors: oneOf<NonNullable<SupervisorOptions['actors']>>('eager', 'on-demand'),
} satisfies Record<keyof SupervisorOptions, Rule<unknown>>;

type Numbers = 'timeouts' | 'heartbeat' | 'limits';
type Words = 'invalidMessages' | 'overRate' | 'subprotocols' | 'unmatchedSubprotocols' | 'actors';

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

/** @throws MooringError `invalid-options`, naming every option that is wrong by its path. */
export function resolveOptions<Peer, In, Out, Sent>(
  options: SupervisorOptions<Peer, In, Out, Sent>,
): ResolvedOptions<Peer, In, Out, Sent> {
  const checked = resolved(options, supervisorRules);
  const { admission, limits } = checked;
  // One message fits, unless the option says otherwise.
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
