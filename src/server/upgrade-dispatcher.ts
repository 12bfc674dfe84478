import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { MooringError } from '../core/errors.ts';
import { guarded, isThenable } from '../core/guard.ts';
import { warnOnce } from '../core/warnings.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import { acceptorKey } from './acceptor.ts';
import { requestPath } from './admission.ts';
import { askWith } from './request-headers.ts';
import type { SupervisorState } from './supervisor-types.ts';
import {
  afterResponses,
  asksForWebSocket,
  foreignListeners,
  ignoreErrors,
  isHttp2,
  ours,
  type Passed,
  putBack,
  UnservedUpgrade,
  UpgradeEmit,
  type UpgradeServer,
} from './upgrade-server.ts';

/** What a dispatcher reports to a supervisor besides upgrades. */
interface AttachReports {
  /** Reports a plain request for a path of the WebSocket. */
  notUpgraded(request: IncomingMessage, httpStatus: number | undefined): void;
  /** Reports that `path` or `otherwise` threw. */
  attachErrored(handler: 'path' | 'otherwise', error: Error): void;
}

/** A supervisor of any copy of Mooring, as `attach` sees it. */
export interface AttachedSupervisor {
  /** The top-level state of its chart. */
  readonly state: SupervisorState;
  /** Takes over one upgrade request. */
  handleUpgrade(upgrade: Upgrade, paths?: readonly string[]): void;
  /** @internal */
  readonly [acceptorKey]?: AttachReports;
}

/** One supervisor on one server. */
export interface Attachment {
  readonly supervisor: AttachedSupervisor;
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
 *                    otherwise, or the other listeners, watched ─▶ 404 if nothing handles it
 * ```
 */
class UpgradeDispatcher {
  readonly #server: UpgradeServer;
  readonly #attachments = new Set<Attachment>();
  /** The request that is being passed to the other listeners. Mooring's own listener must not handle it again. */
  #passedOn: IncomingMessage | null = null;
  #emit: UpgradeEmit | null = null;

  constructor(server: UpgradeServer) {
    this.#server = server;
  }

  /** @throws MooringError `path-taken` or `invalid-options` */
  add(attachment: Attachment): void {
    this.#checkFree(attachment);
    if (this.#attachments.size === 0) {
      this.#server.on('upgrade', this.#onUpgrade);
      if (this.#mayListenToRequests) this.#server.on('request', this.#onRequest);
    }
    this.#attachments.add(attachment);
    if (attachment.takeOver) {
      this.#emit ??= new UpgradeEmit(this.#server, (args, emit) => this.#dispatch(args, emit));
    }
    this.#warnOfNeighbours(attachment);
  }

  /** A first `request` listener would make an HTTP/2 server turn every stream into a request and a response. */
  get #mayListenToRequests(): boolean {
    return !isHttp2(this.#server) || foreignListeners(this.#server, 'request').length > 0;
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

  /** A supervisor that drains or has stopped does not block its paths. */
  #checkFree({ path, otherwise }: Attachment): void {
    for (const other of [...this.#attachments].filter(isServing)) {
      const taken = commonPath(path, other.path);
      if (taken !== undefined) {
        throw new MooringError(
          'path-taken',
          `another attach() on this server already serves ${taken}; detach or drain that supervisor first, or use another path`,
        );
      }
      if (otherwise !== undefined && other.otherwise !== undefined) {
        throw new MooringError(
          'invalid-options',
          'options.otherwise: may be set only once for each server; another supervisor on this server has set it',
        );
      }
    }
  }

  #warnOfNeighbours({ path, otherwise, takeOver }: Attachment): void {
    const takesAll = path === undefined && otherwise === undefined && takeOver;
    if (!takesAll || foreignListeners(this.#server, 'upgrade').length === 0) return;
    warnOnce(
      'MOORING_NO_PATH',
      'attach() was called without a path on a server that has other upgrade listeners: the supervisor takes every WebSocket, including those of a dev server (HMR). Pass { path }.',
    );
  }

  /** Handles an `upgrade` event before any listener receives it. */
  #dispatch(args: readonly unknown[], emit: UpgradeEmit): void {
    const [request, socket, head] = args as [IncomingMessage, Socket, Buffer];
    const upgrade = { request, socket, head };
    const passOn = () => {
      this.#passedOn = request;
      try {
        return emit.passOn(args);
      } finally {
        this.#passedOn = null;
      }
    };
    // Routed late, because the application may detach the supervisor before the earlier responses have left.
    afterResponses(socket, () => this.#route(upgrade, passOn));
  }

  /** @param passOn - calls the other listeners. */
  #route(upgrade: Upgrade, passOn: () => Passed): void {
    if (!asksForWebSocket(upgrade.request)) {
      this.#routePlain(upgrade, passOn);
      return;
    }
    const serving = this.#serving(upgrade.request);
    if (serving === undefined) this.#passOn(upgrade, passOn);
    else {
      this.#warnOfNeighbours(serving);
      serving.supervisor.handleUpgrade(upgrade);
    }
  }

  /** Routes a request for another upgrade, which only other listeners may want. */
  #routePlain(upgrade: Upgrade, passOn: () => Passed): void {
    const handlePlainly = () => {
      if (!putBack(this.#server, upgrade)) this.#refuse(upgrade);
    };
    if (foreignListeners(this.#server, 'upgrade').length === 0) handlePlainly();
    else new UnservedUpgrade(upgrade, handlePlainly).wasPassedOn(passOn());
  }

  /** The supervisor with the most specific path. Among equals, one that still serves comes first, then the oldest. */
  #serving(request: IncomingMessage): Attachment | undefined {
    const path = requestPath(request);
    let best: Attachment | undefined;
    for (const attachment of this.#attachments) {
      if (!takes(attachment, path)) continue;
      if (best === undefined || byPrecedence(attachment, best) < 0) best = attachment;
    }
    return best;
  }

  /** Passes on a request that no supervisor serves. */
  #passOn(upgrade: Upgrade, passOn: () => Passed): void {
    const owner = [...this.#attachments].filter(isServing).find(({ otherwise }) => otherwise);
    if (owner === undefined && this.#isAlone) {
      this.#refuse(upgrade);
      return;
    }
    const watch = new UnservedUpgrade(upgrade, () => this.#refuse(upgrade));
    watch.wasPassedOn(owner === undefined ? passOn() : callOtherwise(owner, upgrade, watch));
  }

  /** Lets a supervisor answer with 404, so that it is reported. */
  #refuse(upgrade: Upgrade): void {
    const [first] = [...this.#attachments].sort(byPrecedence);
    if (first === undefined) upgrade.socket.destroy();
    else first.supervisor.handleUpgrade(upgrade, []);
  }

  /**
   * Must exist, because Node.js emits `upgrade` only if there is a listener. It handles requests that did not come through
   * {@link UpgradeEmit}: with `takeOver: false`, and after another package has replaced `emit`.
   */
  readonly #onUpgrade = ours((request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    if (this.#passedOn === request) return;
    const upgrade = { request, socket: stream as Socket, head };
    const serving = this.#serving(request);
    if (serving !== undefined) serving.supervisor.handleUpgrade(upgrade);
    else if (this.#isAlone) this.#refuse(upgrade);
    else ignoreErrors(stream);
  });

  /** Whether there are no other listeners for upgrades. Those of another copy of Mooring count as others. */
  get #isAlone(): boolean {
    return this.#server.rawListeners('upgrade').every((listener) => listener === this.#onUpgrade);
  }

  /** Handles plain requests: a proxy that strips headers turns an upgrade request into a plain one. */
  readonly #onRequest = ours((request: IncomingMessage, response: ServerResponse): void => {
    // HTTP/2 has no upgrades. `httpVersion` does not help, because a client of HTTP/1 may send 2.0 as its version.
    if ('stream' in request) return;
    const isOurs = foreignListeners(this.#server, 'request').length === 0 && !response.headersSent;
    // Without any other listener the request would hang.
    if (isOurs) answerUpgradeRequired(response);
    const meant = this.#meant(request, isOurs);
    meant?.supervisor[acceptorKey]?.notUpgraded(request, isOurs ? 426 : undefined);
  });

  /**
   * The supervisor that a plain request was meant for. If the application answers the request, it was probably meant for the
   * application. It then counts only if it has `Sec-WebSocket-Key`, or if it asks for no particular type of content and has no
   * `Sec-Fetch-Mode`.
   */
  #meant(request: IncomingMessage, isOurs: boolean): Attachment | undefined {
    const { method, headers } = request;
    if (method !== 'GET') return undefined;
    if (isOurs || headers['sec-websocket-key'] !== undefined) return this.#serving(request);
    const { accept = '*/*', 'sec-fetch-mode': mode } = headers;
    if (accept !== '*/*' || mode !== undefined) return undefined;
    const path = requestPath(request);
    return [...this.#attachments].find(
      (each) => rankOf(each.path) === 0 && takesPath(each.path, path, () => false),
    );
  }
}

function answerUpgradeRequired(response: ServerResponse): void {
  const body = 'upgrade to websocket\n';
  response.writeHead(426, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': body.length,
    Upgrade: 'websocket',
    Connection: response.shouldKeepAlive ? 'keep-alive, upgrade' : 'close, upgrade',
  });
  response.end(body);
}

/** Calls `otherwise` behind a guard. If it throws, the request is still answered. */
function callOtherwise(
  { otherwise, supervisor }: Attachment,
  { request, socket, head }: Upgrade,
  watch: UnservedUpgrade,
): Passed {
  const result = guarded(
    () => otherwise?.(request, socket, head),
    (error) => {
      supervisor[acceptorKey]?.attachErrored('otherwise', error);
      watch.failed();
    },
  );
  const settled = isThenable(result) ? [result.then(undefined, () => {})] : [];
  return { results: settled, mayBePending: false };
}

function isServing({ supervisor: { state } }: Attachment): boolean {
  return state !== 'draining' && state !== 'stopped';
}

function takes({ path, supervisor }: Attachment, asked: string): boolean {
  const ask = askWith((_, error) => supervisor[acceptorKey]?.attachErrored('path', error));
  return takesPath(path, asked, (call) => ask('path', call));
}

/** A comparator for sorting. Sorting keeps the order of equal attachments, so the oldest comes first. */
function byPrecedence(one: Attachment, other: Attachment): number {
  const byRank = rankOf(one.path) - rankOf(other.path);
  return byRank === 0 ? Number(isServing(other)) - Number(isServing(one)) : byRank;
}

/** Which paths a supervisor serves: one, several, or those for which a function returns `true`. */
export type UpgradePath = string | readonly string[] | ((path: string) => boolean);

/** Text that looks like the pattern of a router. */
const PATTERN = /[*{}]|\/:/;

/**
 * Checks the option `path` of `attach`.
 *
 * @throws MooringError `invalid-options`
 */
export function checkUpgradePath(path: unknown): asserts path is UpgradePath {
  if (typeof path === 'function') return;
  const paths: readonly unknown[] = Array.isArray(path) ? path : [path];
  if (paths.length === 0) throw invalidPath('must name at least one path');
  for (const each of paths) checkExact(each);
}

function checkExact(path: unknown): void {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw invalidPath(
      "must be a path such as '/ws', a list of paths, or a function (path) => boolean",
    );
  }
  if (/[?#]/.test(path)) throw invalidPath(`'${path}' must not have a query or a fragment`);
  if (PATTERN.test(path)) {
    throw invalidPath(
      `'${path}' looks like a pattern, but paths are compared literally; pass a function instead, (path) => boolean`,
    );
  }
}

function invalidPath(problem: string): MooringError {
  return new MooringError('invalid-options', `options.path: ${problem}`);
}

/** How specific a rule is. A lower rank takes precedence. */
export function rankOf(path: UpgradePath | undefined): number {
  if (path === undefined) return 2;
  return typeof path === 'function' ? 1 : 0;
}

/** Whether a path or a list names a path. */
function namesPath(rule: string | readonly string[], path: string): boolean {
  return typeof rule === 'string' ? rule === path : rule.includes(path);
}

/** Whether a rule takes a path. Without a rule, every path is taken. @param ask - calls a function of the application. */
export function takesPath(
  rule: UpgradePath | undefined,
  path: string,
  ask: (call: () => unknown) => boolean,
): boolean {
  if (rule === undefined) return true;
  return typeof rule === 'function' ? ask(() => rule(path)) : namesPath(rule, path);
}

/** A path that two rules both name, or `undefined`. The paths of a function are not known until it is called. */
export function commonPath(
  one: UpgradePath | undefined,
  other: UpgradePath | undefined,
): string | undefined {
  if (one === undefined || other === undefined) return one === other ? 'every path' : undefined;
  if (typeof one === 'function' || typeof other === 'function') {
    return one === other ? 'the paths of that function' : undefined;
  }
  const names = typeof one === 'string' ? [one] : one;
  return names.find((name) => namesPath(other, name));
}
