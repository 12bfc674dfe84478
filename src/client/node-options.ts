import type { ActorOptions } from '../chart/chart-system.ts';
import { FlightRecorder } from '../chart/flight-recorder.ts';
import { xstateHost } from '../chart/hosted-actor.ts';
import { type SocketCore, SocketEvents } from '../connection/socket-events.ts';
import { type HasChildren, parentSide } from '../core/child.ts';
import { type Clock, holdProcess } from '../core/clock.ts';
import { whenAborted } from '../core/guard.ts';
import {
  oneOf,
  optional,
  type Report,
  type Resolved,
  type Rule,
  refuseForeign,
  resolved,
} from '../core/option-rules.ts';
import type { ConnectOptions } from '../transport/connect-options.ts';
import { WsTransport } from '../transport/ws-transport.ts';
import type { Platform } from './client-runtime.ts';
import { clientWarnings } from './client-warnings.ts';
import { connectRule } from './connect-rule.ts';
import {
  type ClientOptions,
  checkIdle,
  checkPositions,
  clientRules,
  filled,
  resolvable,
} from './options.ts';
import { type Headers, headersRule } from './reconnect/headers.ts';
import type { Resolvable } from './reconnect/route.ts';

/** Options of a client in Node.js. */
export interface NodeClientOptions<
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
> extends ClientOptions<In, Out, Ask, Answer, Request, Reply> {
  /**
   * Headers of the upgrade request, for example `authorization`, or a function that returns them for each attempt.
   *
   * If a function returns the headers, the URL, `subprotocols` or `connect`, each attempt may bring other credentials. The
   * client then dials again after its backoff when the peer refuses with 401, 403, 1008, 3000, 3003, 4401 or 4403. After
   * three such refusals in a row, it dials slowly.
   * @default none
   */
  headers?: Resolvable<Headers> | undefined;
  /**
   * The supervisor that the client belongs to. It also counts and reports the client's connections, and stops the
   * client when it stops.
   * @default none
   */
  supervisor?: HasChildren | undefined;
  /**
   * When the client, and each of its connections, gets its XState actor: `eager` when it begins, `on-demand` when you
   * read its `actor`. With `inspect`, all actors are eager. A client of a supervisor cannot have `actors` or `inspect`:
   * those of the supervisor apply.
   * @default 'eager'
   */
  actors?: 'eager' | 'on-demand' | undefined;
  /**
   * How Node.js connects, for example through a proxy, with a certificate, or from an address of this host. These are
   * options of `http.request`, `net.connect` and `tls.connect`, or a function that returns them for each attempt.
   * @default none
   */
  connect?: Resolvable<ConnectOptions> | undefined;
}

/** The options of a client in Node.js. */
export const nodeRules = {
  ...clientRules,
  headers: resolvable(headersRule),
  supervisor: optional<HasChildren>((given) => parentSide in Object(given), 'must be a supervisor'),
  actors: oneOf<NonNullable<NodeClientOptions['actors']>>('eager', 'on-demand'),
  connect: resolvable(connectRule),
} satisfies Record<keyof NodeClientOptions, Rule<unknown>>;

/**
 * The platform of every client in Node.js.
 *
 * @internal
 */
export const nodePlatform: Platform = {
  warnings: clientWarnings,
  // The result becomes the transport of the connection, which makes it a `SocketCore`.
  makeTransport: (connection, context) =>
    new WsTransport(new SocketEvents(connection as SocketCore), context),
  holdProcess,
  whenAborted,
  // Node.js does not report changes of the network. The timer wheel notices sleep.
  watchHost: () => nothing,
};

/**
 * The actors of a client or a pool in Node.js.
 *
 * @internal
 */
export function nodeActors(actors: NodeClientOptions['actors']): ActorOptions {
  return { actorHost: xstateHost, areEager: actors === 'eager', makeRecorder };
}

const makeRecorder = (clock: Clock) => new FlightRecorder(clock);

function nothing(): void {}

/** What replaces the options of other clients. Not in a page, which would have to load this. @internal */
export const insteads: Readonly<Record<string, string>> = {
  onClose: 'subscribe to endings$',
  onError: 'subscribe to endings$, and to events$ for errors of your functions',
  protocols: 'use subprotocols',
  proxy: 'use connect.agent',
  reconnect: 'it always reconnects; see retry, backoff and restarts',
};

/**
 * Checks the options of a client in Node.js, and fills in defaults.
 *
 * @throws MooringError `invalid-options`, with the path of every wrong option.
 */
export function resolveNodeOptions<In, Out>(given: NodeClientOptions<In, Out>, clock: Clock) {
  refuseForeign(given, insteads);
  const checked = resolved(given, nodeRules, finish);
  const { headers, supervisor, actors, connect, ...options } = checked;
  return { headers, supervisor, actors, connect, options: filled<In, Out>(options, clock) };
}

function finish(options: Resolved<typeof nodeRules>, report: Report, given: object): void {
  leaveToSupervisor(options, report, given);
  checkIdle(options, report);
  checkPositions(options, report);
}

/** Refuses `inspect` and `actors` for a client of a supervisor: the supervisor decides both. */
export function leaveToSupervisor(
  { supervisor, inspect }: Pick<Resolved<typeof nodeRules>, 'supervisor' | 'inspect'>,
  report: Report,
  given: { readonly actors?: unknown },
): void {
  if (supervisor === undefined) return;
  if (inspect !== undefined) {
    report('cannot be combined with supervisor; set it on the supervisor', 'inspect');
  }
  if (given.actors !== undefined) {
    report('cannot be combined with supervisor; set it on the supervisor', 'actors');
  }
}
