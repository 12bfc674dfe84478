import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { checkServer, checkSupervisor, invalidArgument } from '../core/arguments.ts';
import { callback, flag, optional, type Rule, resolved } from '../core/option-rules.ts';
import {
  type AttachedSupervisor,
  checkUpgradePath,
  dispatcherOf,
  type UpgradePath,
} from './upgrade-dispatcher.ts';
import type { UpgradeServer } from './upgrade-server.ts';

/** Where a supervisor serves, on a server that it may share. */
export interface AttachOptions {
  /**
   * The path of the WebSocket, compared as it is and without the query; several of them; or a function that
   * returns `true` for the paths to serve.
   * @default every path
   */
  path?: UpgradePath;
  /**
   * Gets the upgrade requests that no supervisor of this server serves, in place of the server's other `upgrade` listeners.
   * A request that it does not touch within two seconds is answered with 404.
   * @default the server's other `upgrade` listeners
   */
  otherwise?: (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown;
  /**
   * Whether the supervisor gets its requests before any `upgrade` listener of the server. With `false` it is one
   * listener among the others: each of them sees every request, and must leave alone what it does not serve.
   * @default true
   */
  takeOver?: boolean;
}

/** The options of `attach`. A path is checked when it is known that the rest is right. */
export const attachRules = {
  path: optional<UpgradePath>(() => true, ''),
  otherwise: callback<NonNullable<AttachOptions['otherwise']>>(),
  takeOver: flag(true),
} satisfies Record<keyof AttachOptions, Rule<unknown>>;

/**
 * Lets a supervisor serve the WebSockets of an HTTP server, and returns a function that ends this.
 *
 * Each upgrade request gets one owner. Those for the path go to the supervisor; the server's other `upgrade` listeners are
 * called for all others, so ws, socket.io, a dev server and several supervisors can share one server. What nobody handles
 * is answered with 404. A request that asks for an upgrade to something else, such as `h2c`, is handled as if you had not called
 * `attach`.
 *
 * The server stays yours: it is never closed from here. While a supervisor drains it answers with 503; detach it
 * when the server itself is gone.
 *
 * @param server - what `http.createServer()`, `https.createServer()`, `http2.createSecureServer({ allowHTTP1: true })`, or
 *   a framework's `listen()` returns.
 * @throws MooringError `invalid-argument`, `invalid-options`, or `path-taken` when another supervisor serves the same path.
 */
export function attach(
  server: UpgradeServer,
  supervisor: AttachedSupervisor,
  options: AttachOptions = {},
): () => void {
  checkServer(server, 'attach(server, supervisor)');
  checkSupervisor(supervisor, 'attach(server, supervisor)');
  checkRuns(supervisor);
  const { path, otherwise, takeOver } = resolved(options, attachRules, {
    call: { call: 'attach(server, supervisor, options)', example: "{ path: '/ws' }" },
  });
  if (path !== undefined) checkUpgradePath(path);
  const dispatcher = dispatcherOf(server);
  // A copy: what is added to a list later has not been checked.
  const paths: UpgradePath | undefined = Array.isArray(path) ? [...path] : path;
  const attachment = { supervisor, path: paths, otherwise, takeOver };
  dispatcher.add(attachment);
  return () => dispatcher.delete(attachment);
}

/** One that has stopped would answer 503 for as long as the server lives. */
function checkRuns(supervisor: AttachedSupervisor): void {
  if (supervisor.state !== 'stopped') return;
  throw invalidArgument({
    ...{ call: 'attach(server, supervisor)', argument: 'supervisor', value: supervisor },
    expected: 'one that has not stopped',
    advice: 'create another one',
  });
}
