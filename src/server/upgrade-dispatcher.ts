import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Upgrade } from '../connection/upgrade.ts';
import { SupervisorError } from '../core/errors.ts';
import { guarded } from '../core/guard.ts';
import { warnOnce } from '../core/warning.ts';
import { type Acceptor, acceptorSide } from './acceptor.ts';
import { requestPath } from './admission.ts';
import { afterResponses, putBack } from './put-back.ts';
import { UnservedUpgrade } from './unserved.ts';
import { commonPath, rankOf, takesPath, type UpgradePath } from './upgrade-path.ts';
import {
  asksForWebSocket,
  foreignListeners,
  ours,
  UpgradeEmit,
  type UpgradeServer,
} from './upgrade-server.ts';

/** One supervisor on one server. */
export interface Attachment {
  readonly supervisor: Acceptor;
  readonly path: UpgradePath | undefined;
  readonly otherwise:
    | ((request: IncomingMessage, socket: Duplex, head: Buffer) => unknown)
    | undefined;
  readonly takeOver: boolean;
}

const dispatchers = new WeakMap<UpgradeServer, UpgradeDispatcher>();

/** The one dispatcher of a server. */
export function dispatcherOf(server: UpgradeServer): UpgradeDispatcher {
  const known = dispatchers.get(server);
  if (known !== undefined) return known;
  const dispatcher = new UpgradeDispatcher(server);
  dispatchers.set(server, dispatcher);
  return dispatcher;
}

/**
 * Gives each upgrade request of one server to one owner.
 *
 * ```
 * emit('upgrade') ─▶ asks for a WebSocket? ──no──▶ put back: a plain request
 *                          │ yes
 *                    a supervisor serves the path ─▶ supervisor.handleUpgrade
 *                          │ none
 *                    otherwise, or the other listeners, watched ─▶ 404 when nobody handles it
 * ```
 */
class UpgradeDispatcher {
  readonly #server: UpgradeServer;
  readonly #attachments = new Set<Attachment>();
  /** Requests that came through `emit`; the listener must not handle them again. */
  readonly #dispatched = new WeakSet<object>();
  #emit: UpgradeEmit | null = null;

  constructor(server: UpgradeServer) {
    this.#server = server;
  }

  /** @throws SupervisorError `path-taken` */
  add(attachment: Attachment): void {
    this.#checkFree(attachment.path);
    if (this.#attachments.size === 0) {
      this.#server.on('upgrade', this.#onUpgrade);
      this.#server.on('request', this.#onRequest);
    }
    this.#attachments.add(attachment);
    if (attachment.takeOver) {
      this.#emit ??= new UpgradeEmit(this.#server, (args) => this.#dispatch(args));
    }
    this.#warnOfNeighbours();
  }

  delete(attachment: Attachment): void {
    if (!this.#attachments.delete(attachment)) return;
    if (![...this.#attachments].some(({ takeOver }) => takeOver)) {
      this.#emit?.release();
      this.#emit = null;
    }
    if (this.#attachments.size > 0) return;
    this.#server.off('upgrade', this.#onUpgrade);
    this.#server.off('request', this.#onRequest);
  }

  /** A supervisor that drains, or has stopped, makes room for the next one. */
  #checkFree(path: UpgradePath | undefined): void {
    for (const other of this.#attachments) {
      const taken = isServing(other) ? commonPath(path, other.path) : undefined;
      if (taken === undefined) continue;
      throw new SupervisorError(
        'path-taken',
        `${taken} is served by another supervisor on this server: detach or drain that one first, or use another path`,
      );
    }
  }

  #warnOfNeighbours(): void {
    const takesAll = [...this.#attachments].some(
      ({ path, otherwise, takeOver }) => path === undefined && otherwise === undefined && takeOver,
    );
    if (!takesAll || foreignListeners(this.#server, 'upgrade').length === 0) return;
    warnOnce(
      'MOORING_NO_PATH',
      'attach() was called without a path on a server that has other upgrade listeners: the supervisor takes every WebSocket, also those of a dev server (HMR). Pass { path }.',
    );
  }

  /** An `upgrade` event, before any listener has it. */
  #dispatch(args: readonly unknown[]): void {
    const [request, socket, head] = args as [IncomingMessage, Socket, Buffer];
    this.#dispatched.add(request);
    afterResponses(socket, () => this.#route({ request, socket, head }, args));
  }

  #route(upgrade: Upgrade, args: readonly unknown[]): void {
    const { request } = upgrade;
    this.#warnOfNeighbours();
    const serving = asksForWebSocket(request) ? this.#serving(request) : undefined;
    const isPlain =
      !asksForWebSocket(request) && foreignListeners(this.#server, 'upgrade').length === 0;
    if (serving !== undefined) serving.supervisor.handleUpgrade(upgrade);
    else if (!isPlain) this.#passOn(upgrade, args);
    else if (!putBack(this.#server, upgrade)) this.#refuse(upgrade);
  }

  /** The supervisor whose path is the closest; of several the one that still serves, then the newest. */
  #serving(request: IncomingMessage): Attachment | undefined {
    const path = requestPath(request);
    const taking = [...this.#attachments].filter((attachment) => takes(attachment, path));
    return taking.sort(byPrecedence).at(0);
  }

  /** Nobody here serves it. */
  #passOn(upgrade: Upgrade, args: readonly unknown[]): void {
    const { request, socket, head } = upgrade;
    const otherwise = [...this.#attachments].find(
      (each) => each.otherwise !== undefined,
    )?.otherwise;
    if (otherwise === undefined && this.#isAlone) {
      this.#refuse(upgrade);
      return;
    }
    const watch = new UnservedUpgrade(upgrade, () => this.#refuse(upgrade));
    if (otherwise === undefined) watch.isHandledBy(this.#emit?.passOn(args) ?? []);
    else watch.isHandledBy([otherwise(request, socket, head)]);
  }

  /** 404, in the name of a supervisor, which reports it. */
  #refuse(upgrade: Upgrade): void {
    const [first] = [...this.#attachments].sort(byPrecedence);
    if (first === undefined) upgrade.socket.destroy();
    else first.supervisor.handleUpgrade(upgrade, []);
  }

  /**
   * Node.js emits `upgrade` only where there is a listener. It handles what did not come through `emit` above: for
   * those who asked for it, and when somebody has taken `emit` back.
   */
  readonly #onUpgrade = ours((request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    if (this.#dispatched.has(request)) return;
    const upgrade = { request, socket: stream as Socket, head };
    const serving = this.#serving(request);
    if (serving !== undefined) serving.supervisor.handleUpgrade(upgrade);
    else if (this.#isAlone) this.#refuse(upgrade);
  });

  /** Whether nobody else listens for upgrades; another copy of Mooring may be somebody else. */
  get #isAlone(): boolean {
    return this.#server.listenerCount('upgrade') === 1;
  }

  /** A proxy that strips the headers makes a plain request of what asked for a WebSocket. */
  readonly #onRequest = ours((request: IncomingMessage, response: ServerResponse): void => {
    const isOurs = foreignListeners(this.#server, 'request').length === 0 && !response.headersSent;
    if (isOurs) {
      // Without any other listener the request would hang.
      const body = 'upgrade to websocket\n';
      response.writeHead(426, {
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Length': body.length,
        Upgrade: 'websocket',
        Connection: response.shouldKeepAlive ? 'keep-alive, upgrade' : 'close, upgrade',
      });
      response.end(body);
    }
    const meant = this.#meant(request, isOurs);
    meant?.supervisor[acceptorSide]?.notUpgraded(request, isOurs ? 426 : undefined);
  });

  /** The supervisor that a plain request was perhaps meant for. A page that a browser opens was not. */
  #meant(request: IncomingMessage, isOurs: boolean): Attachment | undefined {
    const mode = request.headers['sec-fetch-mode'] ?? 'websocket';
    if (request.method !== 'GET' || mode !== 'websocket') return undefined;
    const serving = this.#serving(request);
    return serving?.path === undefined && !isOurs ? undefined : serving;
  }
}

function isServing({ supervisor: { state } }: Attachment): boolean {
  return state !== 'draining' && state !== 'stopped';
}

function takes({ path, supervisor }: Attachment, asked: string): boolean {
  const report = (error: Error) => supervisor[acceptorSide]?.pathErrored(error);
  return guarded(() => takesPath(path, asked), report) === true;
}

/** Negative when the first goes first. Sorting keeps the order of those that are equal: the oldest first. */
function byPrecedence(one: Attachment, other: Attachment): number {
  const byRank = rankOf(one.path) - rankOf(other.path);
  return byRank === 0 ? Number(isServing(other)) - Number(isServing(one)) : byRank;
}
