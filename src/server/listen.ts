import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { checkSupervisor } from '../core/arguments.ts';
import { holdProcess, systemClock } from '../core/clock.ts';
import * as defaults from '../core/defaults.ts';
import {
  callback,
  integers,
  isOptions,
  must,
  optional,
  type Rule,
  resolved,
} from '../core/option-rules.ts';
import { checkOptions } from '../core/options-call.ts';
import { printAs } from '../core/text.ts';
import { type AttachOptions, attach, attachRules } from './attach.ts';
import { ServiceSupervisor } from './supervisor.ts';
import type { Supervisor } from './supervisor-types.ts';

/** Where to listen, for a service that has no HTTP server of its own. */
export interface ListenOptions extends AttachOptions {
  /** The port to listen on; 0 stands for any free port. @default any free port */
  port?: number | undefined;
  /** The name or address to listen on. @default '127.0.0.1' */
  host?: string | undefined;
  /** Answers plain HTTP requests. @default 426 for every request */
  onRequest?: RequestListener | undefined;
  /** Key and certificate, as options of `node:https`. @default plain TCP */
  tls?: ServerOptions | undefined;
}

/** An HTTP server for one supervisor. */
export interface Listener extends AsyncDisposable {
  /** The HTTP server, for example to count its connections. */
  readonly server: Server;
  /** Where clients connect, for example `ws://127.0.0.1:8080/ws`. */
  readonly url: string;
  /** The port on which it listens. */
  readonly port: number;
  /**
   * Stops listening. Resolves when the current plain requests have been answered; cuts those that are left after two seconds.
   * WebSockets stay open until the supervisor is drained. A second call returns the promise of the first.
   */
  close(): Promise<void>;
  /** Drains the supervisor, then closes. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The time for the request line and the headers, and for the TLS handshake, in milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
/** How often Node.js checks for late requests, in milliseconds. Its own default is 30 s. */
const CHECKING_INTERVAL_MS = 1_000;

/** How long requests may still take when the server closes, in milliseconds. */
const CLOSE_GRACE_MS = 2_000;
/** How often a closing server checks whether requests are left, in milliseconds. */
const CLOSE_POLL_MS = 20;

/** What `listen` needs from a supervisor. */
export type Listening = Pick<Supervisor<never, never, never>, 'handleUpgrade' | 'drain' | 'state'>;

const listenRules = {
  ...attachRules,
  ...integers(defaults.listen, defaults.bounds),
  host: must(
    '127.0.0.1',
    (host) => typeof host === 'string' && host !== '',
    'must be a host name or an IP address',
  ),
  onRequest: callback<RequestListener>(),
  tls: optional<ServerOptions>(isOptions, 'must be an object'),
} satisfies Record<keyof ListenOptions, Rule<unknown>>;

/**
 * Makes an HTTP server for a supervisor and listens.
 *
 * A client that connects and stays silent, or that sends its headers too slowly, is cut after ten seconds.
 *
 * @returns a promise that rejects with the system error if the address is not available, and with a MooringError,
 *   `invalid-argument` or `invalid-options`, for wrong arguments.
 */
export async function listen(
  supervisor: Listening,
  options: ListenOptions = {},
): Promise<Listener> {
  const call = 'listen(supervisor, options)';
  checkSupervisor(supervisor, call);
  checkOptions(options, call, '{ port: 8080 }');
  const checked = resolved(options, listenRules);
  const { port: wanted, host, onRequest, tls, ...where } = checked;
  const server = createHttpServer(onRequest, tls);
  const detach = attach(server, supervisor, where as AttachOptions);
  await listening(server, wanted, host);
  const { port } = server.address() as AddressInfo;
  const scheme = tls === undefined ? 'ws' : 'wss';
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= closed(server, supervisor).then(detach);
    return closing;
  };
  const url = `${scheme}://${urlHost(host)}:${port}${firstPath(options.path)}`;
  const listener = {
    server,
    port,
    url,
    close,
    [Symbol.asyncDispose]: async () => {
      await supervisor.drain();
      await close();
    },
  };
  printAs(listener, 'Listener', () => ({ url, port }));
  return listener;
}

function createHttpServer(
  onRequest: RequestListener | undefined,
  tls: ServerOptions | undefined,
): Server {
  const timing = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CHECKING_INTERVAL_MS,
  };
  if (tls === undefined) return createServer(timing, onRequest);
  return createSecureServer({ handshakeTimeout: HEADERS_TIMEOUT_MS, ...tls, ...timing }, onRequest);
}

function listening(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/**
 * Polls instead of waiting for the `close` event of Node.js, which also waits for WebSockets. A closing server no longer checks
 * for late requests, so a silent client would keep it open.
 */
async function closed(server: Server, supervisor: Listening): Promise<void> {
  server.close();
  // The process must live until this resolves, and timers of a clock do not keep it alive.
  const letProcessEnd = holdProcess();
  try {
    await plainRequestsGone(server, supervisor);
  } finally {
    letProcessEnd();
  }
}

async function plainRequestsGone(server: Server, supervisor: Listening): Promise<void> {
  const deadlineMs = systemClock.now() + CLOSE_GRACE_MS;
  while ((await connectionsOf(server)) > webSocketsOf(server, supervisor)) {
    if (systemClock.now() >= deadlineMs) {
      cut(server);
      return;
    }
    await new Promise<void>((resolve) => systemClock.setTimer(CLOSE_POLL_MS, resolve));
  }
}

function cut(server: Server): void {
  server.closeAllConnections();
  // Node.js does not report which connections are in their TLS handshake.
  server.on('secureConnection', (socket) => socket.destroy());
}

/** WebSockets included. */
function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

function webSocketsOf(server: Server, supervisor: Listening): number {
  return supervisor instanceof ServiceSupervisor ? supervisor.socketsOf(server) : 0;
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function firstPath(path: ListenOptions['path']): string {
  if (typeof path === 'function') return '/';
  return (typeof path === 'string' ? path : path?.[0]) ?? '/';
}
