import { type Clock, isClock, mustBeClock } from '../core/clock.ts';
import { type Codec, isCodec, jsonCodec, mustBeCodec } from '../core/codec.ts';
import type { DialedConnection } from '../core/connection.ts';
import { type Inspector, isInspector, mustBeInspector } from '../core/inspection.ts';
import {
  type HeartbeatOptions,
  heartbeatDefaults,
  type Limits,
  limitDefaults,
  type OverRatePolicy,
  partsOf,
  type Timeouts,
  timeoutDefaults,
} from '../core/limits.ts';
import { hasMethods } from '../core/methods.ts';
import {
  asyncProblems,
  type ContractName,
  isAsyncSchema,
  isStandardSchema,
  mustBeSchema,
  type StandardSchemaV1,
} from '../core/standard-schema.ts';
import { mustBeOneOf } from '../core/wording.ts';
import { Check } from './check.ts';
import type { BackoffOptions } from './reconnect/backoff.ts';
import type { RestartOptions } from './reconnect/restart-intensity.ts';
import type { PrivateCodes } from './reconnect/retry.ts';

/** Options of a client wherever it runs. Every limit is finite by default. */
export interface ClientOptions<In = unknown, Out = unknown> {
  /** Subprotocols to offer, in the order of preference (RFC 6455 §1.9). @default none */
  subprotocols?: readonly string[];
  /**
   * Whether the peer, a Mooring server, may ask whether the code of this page runs, and answer the same. It is agreed
   * on by subprotocol; a browser refuses a server that knows none of those it is offered, so do not ask for it elsewhere.
   * @default false
   */
  beat?: boolean;
  /**
   * The inbound contract, any synchronous Standard Schema. `onMessage` and `messages$` get its output. Without it every
   * decodable message is delivered.
   */
  messages?: StandardSchemaV1<unknown, In>;
  /**
   * The outbound contract, any synchronous Standard Schema. `send` takes its input, sends its output, and throws for a
   * message that breaks it.
   */
  sends?: StandardSchemaV1<Out, unknown>;
  /** How messages are written. @default JSON in text frames, within `limits.depthMax` and `valuesMax` */
  codec?: Codec;
  /** What private close codes mean. @default `backoff` for all of them */
  privateCodes?: PrivateCodes;
  backoff?: Partial<BackoffOptions>;
  restarts?: Partial<RestartOptions>;
  /**
   * Called with each connection that opens. What it sends until it returns leaves before what has waited, and before
   * anybody hears of the connection: the place to sign in, or to ask again for what was subscribed to.
   */
  onOpen?: (connection: DialedConnection<In, Out>) => unknown;
  /**
   * Called with each message that fulfils the contract, in the order of arrival, before `messages$` emits it. A promise that
   * it returns counts as in flight until it settles: see `limits.inFlightMax`. When it throws or rejects, the connection is
   * closed with 1011 and the client dials again.
   */
  onMessage?: (connection: DialedConnection<In, Out>, message: In) => unknown;
  /**
   * What happens when a peer sends more messages than `limits.messagesPerSecondMax` allows: `pause` stops reading until the
   * rate allows more; `close` ends the connection with 1008.
   * @default 'pause'
   */
  overRate?: OverRatePolicy;
  /** Messages that may wait while there is no connection; the oldest makes room. @default 256 */
  queueMax?: number;
  timeouts?: Partial<Timeouts>;
  heartbeat?: Partial<HeartbeatOptions>;
  /**
   * @default those of a server, but 100,000 messages a second, 200,000 at once, 200,000 values in one, and 60,000 invalid
   * ones a minute
   */
  limits?: Partial<Limits>;
  /** Closes the client when it aborts. */
  signal?: AbortSignal;
  /** Time. @default the clock of the process */
  clock?: Clock;
  /** A number from 0 to 1, like `Math.random`. Spreads attempts. */
  random?: () => number;
  /**
   * Gets an event for every step of every chart, as in XState's inspection API: a function, or an observer such as that of
   * `@statelyai/inspect`. The events carry no data of your application.
   * @default none
   */
  inspect?: Inspector;
}

/** Options with all defaults filled in. */
export interface ResolvedClientOptions<In = unknown, Out = unknown> {
  readonly subprotocols: readonly string[];
  readonly beat: boolean;
  readonly messages: StandardSchemaV1<unknown, In> | undefined;
  readonly sends: StandardSchemaV1<Out, unknown> | undefined;
  readonly codec: Codec;
  readonly privateCodes: PrivateCodes | undefined;
  readonly backoff: Readonly<BackoffOptions>;
  readonly restarts: Readonly<RestartOptions>;
  readonly onOpen: ((connection: DialedConnection<In, Out>) => unknown) | undefined;
  readonly onMessage: ((connection: DialedConnection<In, Out>, message: In) => unknown) | undefined;
  readonly overRate: OverRatePolicy;
  readonly queueMax: number;
  readonly timeouts: Readonly<Timeouts>;
  readonly heartbeat: Readonly<HeartbeatOptions>;
  readonly limits: Readonly<Limits>;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly inspect: Inspector | undefined;
}

export const backoffDefaults: Readonly<BackoffOptions> = Object.freeze({
  minMs: 500,
  maxMs: 20_000,
  stableMs: 5_000,
});

export const restartDefaults: Readonly<RestartOptions> = Object.freeze({
  max: 100,
  withinMs: 600_000,
});

/** Those of a server, but wider for the pace and the contents of messages: a client gets what it asked for. */
const clientLimitDefaults: Readonly<Limits> = Object.freeze({
  ...limitDefaults,
  valuesMax: 200_000,
  messagesPerSecondMax: 100_000,
  messageBurstMax: 200_000,
  invalidPerMinuteMax: 60_000,
});

/** The numbers of fragments and of chunks follow the length of a message. */
function limitDefaultsFor(given: Partial<Limits> | undefined): Readonly<Limits> {
  const payloadBytesMax = given?.payloadBytesMax;
  if (payloadBytesMax === undefined) return clientLimitDefaults;
  return { ...clientLimitDefaults, ...partsOf(payloadBytesMax) };
}

const QUEUE_MAX = 256;

/** The options of a client wherever it runs. */
export const clientOptionNames: ReadonlySet<string> = new Set<keyof ClientOptions>([
  ...([
    'subprotocols',
    'beat',
    'messages',
    'sends',
    'codec',
    'privateCodes',
    'backoff',
    'restarts',
  ] as const),
  ...([
    'onOpen',
    'onMessage',
    'overRate',
    'queueMax',
    'timeouts',
    'heartbeat',
    'limits',
    'signal',
    'clock',
    'random',
    'inspect',
  ] as const),
]);

/**
 * Checks options and fills in defaults. By hand: a page that uses the client alone must not load a schema library.
 *
 * @throws MooringError `invalid-options`, naming the path of every option that is wrong.
 */
export function resolveClientOptions<In, Out>(
  options: ClientOptions<In, Out>,
  clock: Clock,
): ResolvedClientOptions<In, Out> {
  const check = new Check(options);
  check.names(options, clientOptionNames);
  const timeouts = check.section('timeouts', options.timeouts, timeoutDefaults);
  const heartbeat = check.section('heartbeat', options.heartbeat, heartbeatDefaults);
  const limits = check.section('limits', options.limits, limitDefaultsFor(options.limits));
  const backoff = check.section('backoff', options.backoff, backoffDefaults);
  const restarts = check.section('restarts', options.restarts, restartDefaults);
  const { queueMax } = check.section('', { queueMax: options.queueMax }, { queueMax: QUEUE_MAX });
  check.that(
    limits.outboxLowBytes <= limits.outboxHighBytes,
    'limits.outboxLowBytes',
    'must not be above outboxHighBytes',
  );
  check.that(backoff.minMs <= backoff.maxMs, 'backoff.minMs', 'must not be above maxMs');
  for (const name of ['privateCodes', 'random', 'onOpen', 'onMessage'] as const) {
    check.that(isFunctionOrNone(options[name]), name, 'must be a function');
  }
  check.that(isListOfStrings(options.subprotocols), 'subprotocols', 'must be a list of strings');
  check.that([true, false, undefined].includes(options.beat), 'beat', 'must be a boolean');
  const { overRate = 'pause' } = options;
  check.that(overRates.includes(overRate), 'overRate', mustBeOneOf(overRates, overRate));
  const { codec, signal, clock: time, messages, sends, inspect } = options;
  check.that(codec === undefined || isCodec(codec), 'codec', mustBeCodec);
  check.that(time === undefined || isClock(time), 'clock', mustBeClock);
  check.that(inspect === undefined || isInspector(inspect), 'inspect', mustBeInspector);
  check.that(isNoneOrHas(signal, 'addEventListener'), 'signal', 'must be an AbortSignal');
  checkContract(check, 'messages', messages);
  checkContract(check, 'sends', sends);
  check.done();
  // Written out: what is spread into an object gives it a hidden class of its own, 300 bytes of it (measured).
  return {
    messages: options.messages,
    sends: options.sends,
    privateCodes: options.privateCodes,
    signal: options.signal,
    inspect: options.inspect,
    onOpen: options.onOpen,
    onMessage: options.onMessage,
    timeouts,
    heartbeat,
    limits,
    backoff,
    restarts,
    overRate,
    queueMax,
    subprotocols: options.subprotocols ?? none,
    beat: options.beat ?? false,
    codec: options.codec ?? codecFor(limits),
    clock: options.clock ?? clock,
    random: options.random ?? Math.random,
  };
}

const overRates: readonly OverRatePolicy[] = ['pause', 'close'];
const none: readonly string[] = Object.freeze([]);
const usualCodec = codecOf(clientLimitDefaults);

/** All clients with the usual bounds share one codec. */
function codecFor(limits: Limits): Codec {
  const { depthMax, valuesMax } = clientLimitDefaults;
  const isUsual = limits.depthMax === depthMax && limits.valuesMax === valuesMax;
  return isUsual ? usualCodec : codecOf(limits);
}

function codecOf({ depthMax, valuesMax }: Limits): Codec {
  return jsonCodec(depthMax, valuesMax);
}

function checkContract(check: Check, name: ContractName, schema: unknown): void {
  check.that(schema === undefined || isStandardSchema(schema), name, mustBeSchema);
  check.that(!isAsyncSchema(schema), name, asyncProblems[name]);
}

function isListOfStrings(value: unknown): boolean {
  return (
    value === undefined || (Array.isArray(value) && value.every((item) => typeof item === 'string'))
  );
}

function isNoneOrHas(value: unknown, method: string): boolean {
  return value === undefined || hasMethods(value, [method]);
}

function isFunctionOrNone(value: unknown): boolean {
  return value === undefined || typeof value === 'function';
}
