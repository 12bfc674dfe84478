import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { checkServer, checkSupervisor } from '../core/arguments.ts';
import { MooringError } from '../core/errors.ts';
import { callback, flag, optional, type Rule, resolved } from '../core/option-rules.ts';
import { checkOptions } from '../core/options-call.ts';
import {
  type AttachedSupervisor,
  checkUpgradePath,
  dispatcherOf,
  type UpgradePath,
} from './upgrade-dispatcher.ts';
import type { UpgradeServer } from './upgrade-server.ts';

/** Which requests of a server a supervisor serves. */
export interface AttachOptions {
  /**
   * The path of the WebSocket, a list of paths, or a function that returns `true` for the paths to serve. Paths are compared
   * exactly, without the query.
   * @default every path
   */
  path?: UpgradePath | undefined;
  /**
   * Receives the upgrade requests that no supervisor of this server serves, instead of the other `upgrade` listeners of the
   * server. A request that it does not touch within two seconds gets 404.
   * @default the server's other `upgrade` listeners
   */
  otherwise?: ((request: IncomingMessage, socket: Duplex, head: Buffer) => unknown) | undefined;
  /**
   * Whether the supervisor gets its requests before any `upgrade` listener of the server. With `false`, it is one listener
   * among others: each listener sees every request and must ignore those that it does not serve.
   * @default true
   */
  takeOver?: boolean | undefined;
}

/** The options of `attach`. `attach` checks the path after all others. */
export const attachRules = {
  path: optional<UpgradePath>(() => true, ''),
  otherwise: callback<NonNullable<AttachOptions['otherwise']>>(),
  takeOver: flag(true),
} satisfies Record<keyof AttachOptions, Rule<unknown>>;

/**
 * Lets a supervisor serve the WebSockets of an HTTP server. Returns a function that detaches it.
 *
 * Each upgrade request has one owner. The supervisor gets the requests for its path, and the other `upgrade` listeners of the
 * server get all others. Therefore ws, socket.io, a dev server and several supervisors can share one server. A request that
 * nothing handles gets 404. A request for an upgrade to something else, such as `h2c`, is handled as if you had not called
 * `attach`.
 *
 * Mooring never closes the server. A supervisor that drains answers with 503. Detach it when the server itself is gone.
 *
 * @param server - the result of `http.createServer()`, `https.createServer()`, `http2.createSecureServer({ allowHTTP1: true
 *   })`, or `listen()` of a framework.
 * @throws MooringError `invalid-argument`, `invalid-options`, or `path-taken` if another supervisor serves the same path.
 */
export function attach(
  server: UpgradeServer,
  supervisor: AttachedSupervisor,
  options: AttachOptions = {},
): () => void {
  checkServer(server, 'attach(server, supervisor)');
  checkSupervisor(supervisor, 'attach(server, supervisor)');
  checkRuns(supervisor);
  checkOptions(options, 'attach(server, supervisor, options)', "{ path: '/ws' }");
  const { path, otherwise, takeOver } = resolved(options, attachRules);
  if (path !== undefined) checkUpgradePath(path);
  const dispatcher = dispatcherOf(server);
  // A copy, because later changes of the list would not be checked.
  const paths: UpgradePath | undefined = Array.isArray(path) ? [...path] : path;
  const attachment = { supervisor, path: paths, otherwise, takeOver };
  dispatcher.add(attachment);
  return () => dispatcher.delete(attachment);
}

/** Refuses a supervisor that has stopped, because it would answer 503 for as long as the server lives. */
function checkRuns(supervisor: AttachedSupervisor): void {
  if (supervisor.state !== 'stopped') return;
  throw new MooringError(
    'invalid-argument',
    'attach(server, supervisor): supervisor has stopped; create another one',
  );
}
