import { type HasChildren, parentSide } from '../connection/parent.ts';
import { holdProcess, systemClock } from '../core/clock.ts';
import { SupervisorError } from '../core/errors.ts';
import type { Client } from './client-types.ts';
import { makeClient } from './make-client.ts';
import { type ClientOptions, isPlainObject } from './options.ts';
import type { Platform } from './platform.ts';
import { areHeaders, type Headers, type Renewable } from './target.ts';
import { type ConnectOptions, WsWire } from './ws-wire.ts';

const connectOptions: ReadonlySet<string> = new Set<keyof ConnectOptions>([
  ...(['ca', 'cert', 'key', 'servername', 'rejectUnauthorized', 'lookup', 'localAddress'] as const),
]);

/** Options of a client in Node.js. */
export interface NodeClientOptions<In = unknown, Out = unknown> extends ClientOptions<In, Out> {
  /**
   * Headers of the upgrade request, for example `authorization`, or what tells them anew for each attempt. A client that
   * renews its headers or its URL dials again after a 401.
   * @default none
   */
  headers?: Renewable<Headers>;
  /**
   * The supervisor that it belongs to: its connections are counted and told there as well, and it ends with it.
   * @default none
   */
  supervisor?: HasChildren;
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
  url: Renewable<string | URL>,
  given: NodeClientOptions<In, Out> = {},
): Client<In, Out> {
  const { headers = {}, connect = {}, supervisor, ...rest } = checkedNodeOptions(given);
  const platform: Platform = {
    makeWire: (observer, { limits, clock }) => new WsWire(observer, { limits, clock, connect }),
    holdProcess,
    // Node.js tells nothing of its network; that it slept is seen by the clock.
    watchSigns: () => () => {},
  };
  return makeClient(url, rest, { platform, clock: systemClock, headers, supervisor });
}

/** Checks what only a client in Node.js has. @throws SupervisorError `invalid-options` */
function checkedNodeOptions<In, Out>(
  given: NodeClientOptions<In, Out>,
): NodeClientOptions<In, Out> {
  const { headers, connect, supervisor, inspect } = isPlainObject(given) ? given : {};
  checkOption(
    headers === undefined || typeof headers === 'function' || areHeaders(headers),
    'headers: must be an object of strings or a function',
  );
  checkOption(connect === undefined || isPlainObject(connect), 'connect: must be an object');
  const unknown = Object.keys(connect ?? {}).find((name) => !connectOptions.has(name));
  checkOption(unknown === undefined, `connect.${unknown}: unknown option`);
  checkOption(
    supervisor === undefined || parentSide in Object(supervisor),
    'supervisor: must be a supervisor',
  );
  checkOption(
    supervisor === undefined || inspect === undefined,
    'inspect: the supervisor has its own, and it sees this client as well',
  );
  return given ?? {};
}

function checkOption(holds: boolean, problem: string): void {
  if (!holds) throw new SupervisorError('invalid-options', `options.${problem}`);
}
