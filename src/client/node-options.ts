import type { ActorOptions } from '../chart/chart-system.ts';
import { xstateHost } from '../chart/hosted-actor.ts';
import { type HasChildren, parentSide } from '../core/child.ts';
import { holdProcess } from '../core/clock.ts';
import { isOptions } from '../core/option-problems.ts';
import type { ConnectOptions } from '../transport/connect-options.ts';
import { WsTransport } from '../transport/ws-transport.ts';
import { Check } from './check.ts';
import { clientWarnings } from './client-warnings.ts';
import { type ClientOptions, clientOptionNames } from './options.ts';
import type { Platform } from './platform.ts';
import { areHeaders, type Headers, type Resolvable } from './reconnect/target.ts';

/** Options of a client in Node.js. */
export interface NodeClientOptions<In = unknown, Out = unknown> extends ClientOptions<In, Out> {
  /**
   * Headers of the upgrade request, for example `authorization`, or what tells them anew for each attempt. A client that
   * renews its headers or its URL dials again after a 401.
   * @default none
   */
  headers?: Resolvable<Headers>;
  /**
   * The supervisor that it belongs to: its connections are counted and told there as well, and it ends with it.
   * @default none
   */
  supervisor?: HasChildren;
  /**
   * When the client, and each of its connections, gets its XState actor: `eager` when it begins, `on-demand` when you ask for its
   * `actor`. A client of a supervisor does as the supervisor; with `inspect`, all actors are eager.
   * @default 'eager'
   */
  actors?: 'eager' | 'on-demand';
  /** How to connect, as `tls.connect` and `net.connect` take it. */
  connect?: ConnectOptions;
}

const connectOptions: ReadonlySet<string> = new Set<keyof ConnectOptions>([
  ...(['ca', 'cert', 'key', 'servername', 'rejectUnauthorized', 'lookup', 'localAddress'] as const),
]);

/** The options of a client in Node.js. */
export const nodeOptionNames: ReadonlySet<string> = new Set([
  ...clientOptionNames,
  ...(['headers', 'supervisor', 'connect', 'actors'] as const),
]);

/**
 * What a client in Node.js does in its own way.
 *
 * @internal
 */
export function nodePlatform(connect: ConnectOptions | undefined): Platform {
  return connect === undefined ? usualPlatform : platformWith(connect);
}

/**
 * Which actors a client or a pool in Node.js has.
 *
 * @internal
 */
export function nodeActors(actors: NodeClientOptions['actors'] = 'eager'): ActorOptions {
  return { actorHost: xstateHost, areEager: actors === 'eager' };
}

const usualPlatform = platformWith({});

function platformWith(connect: ConnectOptions): Platform {
  return {
    warnings: clientWarnings,
    makeTransport: (observer, context) => new WsTransport(observer, context, connect),
    holdProcess,
    // Node.js tells nothing of its network; that it slept is seen by the clock.
    watchHost: () => nothing,
  };
}

function nothing(): void {}

/**
 * Checks what a client or a pool has in Node.js alone, and that nothing else is unknown.
 *
 * @throws MooringError `invalid-options`
 */
export function checkNodeOptions(given: object, names = nodeOptionNames): void {
  const check = new Check(given);
  check.names(given, names);
  const { headers, connect, supervisor, inspect, actors }: NodeClientOptions = given;
  const areKnown = headers === undefined || typeof headers === 'function' || areHeaders(headers);
  check.that(areKnown, 'headers', 'must be an object of strings, or a function');
  if (isOptions(connect)) check.names(connect, connectOptions, ['connect']);
  else check.that(connect === undefined, 'connect', 'must be an object');
  const isParent = supervisor === undefined || parentSide in Object(supervisor);
  check.that(isParent, 'supervisor', 'must be a supervisor');
  const isSeenOnce = supervisor === undefined || inspect === undefined;
  check.that(isSeenOnce, 'inspect', 'the supervisor has its own, which sees this as well');
  const isKnown = actors === undefined || actors === 'eager' || actors === 'on-demand';
  check.that(isKnown, 'actors', "must be 'eager' or 'on-demand'");
  const isOwn = supervisor === undefined || actors === undefined;
  check.that(isOwn, 'actors', 'the supervisor has its own, which holds for this as well');
  check.done();
}
