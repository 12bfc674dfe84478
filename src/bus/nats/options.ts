import type { NodeConnectionOptions } from '@nats-io/transport-node';
import type { Retention } from '../../core/bus-log.ts';
import {
  type Given,
  isOptions,
  must,
  optional,
  type Resolved,
  resolved,
  UNKNOWN,
} from '../../core/option-rules.ts';
import { retentionRule } from '../retention.ts';
import { isAddress } from './address.ts';

/** Options of NATS that the bus sets itself. */
const OWN = [
  'servers',
  'port',
  'noEcho',
  'reconnect',
  'reconnectTimeWait',
  'reconnectJitter',
  'reconnectJitterTLS',
  'reconnectDelayHandler',
  'maxReconnectAttempts',
  'waitOnFirstConnect',
  'ignoreAuthErrorAbort',
  'ignoreClusterUpdates',
  'resolve',
] as const;

/** Options of {@link natsBus}. */
export interface NatsBusOptions {
  /**
   * The address of a server, or the addresses of all servers of a cluster. Credentials belong in `connection`.
   * @default 'nats://127.0.0.1:4222'
   */
  servers?: string | readonly string[] | undefined;
  /**
   * The first token of every subject. Services with different names on the same servers do not hear each other. Letters,
   * digits, `_` and `-`; at most 64 of them.
   * @default 'mooring'
   */
  name?: string | undefined;
  /**
   * How long the messages of durable topics are kept. It sets up the stream of JetStream that has the name of the bus, if there is
   * none. One that is there stays as it is, and a difference is reported.
   * @default 1,000 messages of each topic, for 10 minutes
   */
  retention?: Given<Retention> | undefined;
  /**
   * On how many servers of a cluster the messages of durable topics are kept: 1, 3 or 5. With 3, one of them may be lost.
   * @default 1
   */
  replicas?: Replicas | undefined;
  /**
   * Further options of `connect` of @nats-io/transport-node: credentials, TLS, `pingInterval`, `timeout`.
   *
   * An unreachable server is noticed after `(maxPingOut + 1) * pingInterval`. Mooring sets 2,000 ms and 2.
   * @default none
   */
  connection?: Omit<NodeConnectionOptions, (typeof OWN)[number]> | undefined;
}

/** On how many servers messages are kept. */
export type Replicas = 1 | 3 | 5;

/** Options of NATS that the bus passes on. */
const PASSED_ON = {
  authenticator: true,
  debug: true,
  inboxPrefix: true,
  maxPingOut: true,
  name: true,
  noAsyncTraces: true,
  noRandomize: true,
  pass: true,
  pedantic: true,
  pingInterval: true,
  timeout: true,
  tls: true,
  token: true,
  user: true,
  verbose: true,
} satisfies Record<keyof NonNullable<NatsBusOptions['connection']>, true>;

/** JetStream keeps messages no shorter. */
const FOR_MS_MIN = 100;

const DEFAULT_SERVER = 'nats://127.0.0.1:4222';
const nameForm = /^[\w-]{1,64}$/;

const rules = {
  servers: must<string | readonly string[]>(
    DEFAULT_SERVER,
    (given) =>
      isAddress(given) || (Array.isArray(given) && given.length > 0 && given.every(isAddress)),
    'must be an address such as nats://127.0.0.1:4222, without credentials, or a list of addresses',
  ),
  name: must(
    'mooring',
    (given) => typeof given === 'string' && nameForm.test(given),
    'must have 1 to 64 letters, digits, _ or -',
  ),
  retention: retentionRule,
  replicas: must<Replicas>(1, (given) => given === 3 || given === 5, 'must be 1, 3 or 5'),
  connection: Object.assign(
    optional<NonNullable<NatsBusOptions['connection']>>(isOptions, 'must be an object'),
    { names: Object.keys(PASSED_ON) },
  ),
};

/** Options with every default filled in. */
export type ResolvedNatsBusOptions = Readonly<Resolved<typeof rules>>;

/** @throws MooringError `invalid-options` */
export function resolveNatsBusOptions(options: NatsBusOptions): ResolvedNatsBusOptions {
  return resolved(options, rules, ({ retention, connection = {} }, report) => {
    if (retention.forMs < FOR_MS_MIN)
      report(`must be at least ${FOR_MS_MIN} with NATS`, 'retention', 'forMs');
    const isOwn = (name: string) => OWN.some((own) => own === name);
    for (const name of Object.keys(connection)) {
      if (isOwn(name)) report('is set by the bus; remove it', 'connection', name);
      else if (!Object.hasOwn(PASSED_ON, name)) report(UNKNOWN, 'connection', name);
    }
  });
}
