import { holdProcess, systemClock } from '../core/clock.ts';
import { SupervisorError } from '../core/errors.ts';
import type { Client } from './client-types.ts';
import { makeClient } from './make-client.ts';
import { type ClientOptions, isPlainObject } from './options.ts';
import type { Platform } from './platform.ts';
import { type ConnectOptions, WsWire } from './ws-wire.ts';

const connectOptions: ReadonlySet<string> = new Set<keyof ConnectOptions>([
  ...(['ca', 'cert', 'key', 'servername', 'rejectUnauthorized', 'lookup', 'localAddress'] as const),
]);

/** Options of a client in Node.js. */
export interface NodeClientOptions<In = unknown, Out = unknown> extends ClientOptions<In, Out> {
  /** Headers of the upgrade request, for example `authorization`. @default none */
  headers?: Readonly<Record<string, string>>;
  /** How to connect, as `tls.connect` and `net.connect` take it. */
  connect?: ConnectOptions;
}

/**
 * Dials a peer, and dials again whenever the connection is lost, until it is closed.
 *
 * @throws SupervisorError `invalid-options`, naming every option that is wrong by its path. What is wrong with the
 *   URL is told as a `config-error`.
 *
 * @example
 * ```ts
 * const client = createClient('wss://example.com/feed', { messages: z.object({ price: z.number() }) });
 * client.messages$.subscribe(({ price }) => console.log(price));
 * client.send({ subscribe: 'EUR' });
 * ```
 */
export function createClient<In = unknown, Out = unknown>(
  url: string | URL,
  given: NodeClientOptions<In, Out> = {},
): Client<In, Out> {
  const { headers = {}, connect = {}, ...rest } = checkedNodeOptions(given);
  const platform: Platform = {
    makeWire: (observer, { limits, clock }) => new WsWire(observer, { limits, clock, connect }),
    holdProcess,
    // Node.js tells nothing of its network; that it slept is seen by the clock.
    watchSigns: () => () => {},
  };
  return makeClient(url, rest, { platform, clock: systemClock, headers });
}

/** Checks what only a client in Node.js has. @throws SupervisorError `invalid-options` */
function checkedNodeOptions<In, Out>(
  given: NodeClientOptions<In, Out>,
): NodeClientOptions<In, Out> {
  const { headers, connect } = isPlainObject(given) ? given : {};
  const isText = (value: unknown) => typeof value === 'string';
  if (headers !== undefined && !(isPlainObject(headers) && Object.values(headers).every(isText))) {
    throw new SupervisorError('invalid-options', 'options.headers: must be an object of strings');
  }
  if (connect !== undefined && !isPlainObject(connect)) {
    throw new SupervisorError('invalid-options', 'options.connect: must be an object');
  }
  const unknown = Object.keys(connect ?? {}).find((name) => !connectOptions.has(name));
  if (unknown === undefined) return given ?? {};
  throw new SupervisorError('invalid-options', `options.connect.${unknown}: unknown option`);
}
