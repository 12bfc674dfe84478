import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { checkedOptions } from '../core/limits-schema.ts';
import { requestPath } from './admission.ts';
import type { Supervisor } from './supervisor-types.ts';

/** Where a supervisor listens. */
export interface AttachOptions {
  /** The path, or the paths, of the WebSocket; other paths get 404. @default any path */
  path?: string | readonly string[];
}

/** What `attach` needs of a supervisor. */
type Acceptor = Pick<Supervisor<never, never, never>, 'handleUpgrade'>;

interface Attachment {
  readonly supervisor: Acceptor;
  readonly paths: readonly string[] | undefined;
}

const attachSchema = z.strictObject({
  path: z
    .union([z.string().startsWith('/'), z.array(z.string().startsWith('/')).min(1)])
    .optional(),
});

/**
 * Lets a supervisor take the WebSocket upgrades of an HTTP server, and returns how to detach it.
 *
 * The server stays the host's: it is never closed from here, and its other upgrade listeners are left alone.
 * Several supervisors can share one server under different paths. While a supervisor drains it keeps
 * answering, with 503; detach it when the server itself is gone.
 *
 * @throws SupervisorError `invalid-options`
 */
export function attach(
  server: Server | SecureServer,
  supervisor: Acceptor,
  options: AttachOptions = {},
): () => void {
  const { path } = checkedOptions(attachSchema, options);
  const attachment: Attachment = {
    supervisor,
    paths: typeof path === 'string' ? [path] : path,
  };
  const router = routerOf(server);
  router.add(attachment);
  return () => router.delete(attachment);
}

const routers = new WeakMap<Server | SecureServer, UpgradeRouter>();

function routerOf(server: Server | SecureServer): UpgradeRouter {
  const known = routers.get(server);
  if (known !== undefined) return known;
  const router = new UpgradeRouter(server);
  routers.set(server, router);
  return router;
}

/** Gives each upgrade request of one server to one supervisor. */
class UpgradeRouter {
  readonly #server: Server | SecureServer;
  readonly #attachments = new Set<Attachment>();

  constructor(server: Server | SecureServer) {
    this.#server = server;
  }

  add(attachment: Attachment): void {
    if (this.#attachments.size === 0) {
      this.#server.on('upgrade', this.#onUpgrade);
      this.#server.on('request', this.#onRequest);
    }
    this.#attachments.add(attachment);
  }

  delete(attachment: Attachment): void {
    this.#attachments.delete(attachment);
    if (this.#attachments.size > 0) return;
    this.#server.off('upgrade', this.#onUpgrade);
    this.#server.off('request', this.#onRequest);
  }

  /** A path that nobody here serves may belong to another listener; without one it gets its 404 from us. */
  readonly #onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    const upgrade = { request, socket: stream as Socket, head };
    const path = requestPath(request);
    const attachments = [...this.#attachments];
    const serving = attachments.find(({ paths }) => paths === undefined || paths.includes(path));
    if (serving === undefined && this.#server.listenerCount('upgrade') > 1) return;
    const { supervisor, paths } = serving ?? (attachments[0] as Attachment);
    supervisor.handleUpgrade(upgrade, paths);
  };

  /** Without any other listener a plain request would hang for ever. */
  readonly #onRequest = (_request: IncomingMessage, response: ServerResponse): void => {
    if (this.#server.listenerCount('request') > 1) return;
    response.writeHead(426, {
      'Content-Type': 'text/plain',
      Upgrade: 'websocket',
      Connection: 'keep-alive, upgrade',
    });
    response.end('upgrade to websocket\n');
  };
}
