import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { attach, type CloseVerdict, createSupervisor, type Failure } from '../../src/index.ts';
import { socketsOf } from '../support/before-open-premises.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';
import type { Neighbour, Visit } from './neighbour.ts';

/** Whether Mooring is attached to the server before the neighbour, or after it. */
export type Order = 'before' | 'after';

/** How long `authenticate` takes for `?slow`: longer than the second that socket.io grants others. */
const AUTHENTICATE_MS = 1_500;
/** How long the check of a neighbour takes for `slow`: longer than an untouched request may wait. */
const CHECK_MS = 3_000;

export const ours: Visit = { path: '/ours', says: '"hello"', hears: /^"hello"$/ };
export const nobody: Visit = { path: '/nobody', hears: /./ };

/** The same visit, checked slowly. */
export function slow(visit: Visit): Visit {
  const path = `${visit.path}${visit.path.includes('?') ? '&' : '?'}slow`;
  return { ...visit, path };
}

/** One HTTP server with a supervisor and its neighbours. */
export class Scene {
  readonly server: Server;
  /** What the supervisor reported. */
  readonly failures: Failure[] = [];
  readonly verdicts: CloseVerdict[] = [];
  readonly supervisor = createSupervisor({
    authenticate: async ({ url }) => {
      await this.#slowly(url, AUTHENTICATE_MS);
      return 'somebody';
    },
    onMessage: (connection, message) => void connection.send(message),
    onFailed: (failure) => this.failures.push(failure),
    onClose: (_connection, verdict) => this.verdicts.push(verdict),
  });
  readonly sockets: ReadonlySet<Socket>;
  /** Slow checks that have begun, by either owner. */
  checks = 0;
  detach = () => {};
  readonly #leaving: (() => Promise<unknown>)[] = [];
  readonly #peers: RawPeer[] = [];

  private constructor(server: Server) {
    this.server = server;
    this.sockets = socketsOf(server);
  }

  static async start(
    neighbours: readonly Neighbour[],
    order: Order,
    server = createServer(),
  ): Promise<Scene> {
    const scene = new Scene(server);
    if (order === 'before') scene.#attach();
    for (const neighbour of neighbours) {
      const check = (url: string | undefined) => scene.#slowly(url, CHECK_MS);
      scene.#leaving.push(await neighbour.start(server, check));
    }
    if (order === 'after') scene.#attach();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return scene;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** A client that requests an upgrade, and waits for nothing. */
  async ask({ path, headers = {} }: Visit): Promise<RawPeer> {
    const peer = await RawPeer.connect(this.port);
    this.#peers.push(peer);
    peer.request({ path, headers });
    return peer;
  }

  /** A client that is served: it receives the message of the owner of the path. */
  async visit(visit: Visit): Promise<RawPeer> {
    const { path, headers = {} } = visit;
    const peer = await RawPeer.open(this.port, { path, headers });
    this.#peers.push(peer);
    await this.talk(peer, visit);
    return peer;
  }

  /** Sends it once more to a client's owner, and waits for one more message. */
  async talk(peer: RawPeer, { says, hears }: Visit): Promise<void> {
    const before = peer.texts.length;
    if (says !== undefined) peer.text(says);
    await until(
      () => peer.texts.length > (says === undefined ? 0 : before) || peer.closed,
      'it is served',
    );
    assert.match(peer.texts.at(-1) ?? `nothing: ${peer.answer}`, hears);
  }

  /** The status of the answer to a client that is not served. 0 if there is none. */
  async refused(visit: Visit, withinMs?: number): Promise<number> {
    const peer = await this.ask(visit);
    await until(() => peer.ended || peer.closed, `${visit.path} is answered`, withinMs);
    return peer.status;
  }

  /** Closes the neighbours in their own way. */
  leave(): Promise<unknown> {
    return Promise.all(this.#leaving.splice(0).map((close) => close()));
  }

  /** Asserts that everything ends when the clients leave: each socket, and the server. */
  async close(): Promise<void> {
    for (const peer of this.#peers) peer.destroy();
    await until(() => this.sockets.size === 0, 'the server holds no socket', 35_000);
    await this.supervisor.drain({ withinMs: 50 });
    const left = this.leave();
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    await Promise.all([left, closed]);
  }

  /** Leaves nothing behind, whatever has failed. */
  destroy(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    void this.leave();
  }

  #attach(): void {
    this.detach = attach(this.server, this.supervisor, { path: ours.path });
  }

  async #slowly(url: string | undefined, ms: number): Promise<void> {
    if (!url?.includes('slow')) return;
    this.checks += 1;
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}
