import type { Server } from 'node:net';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { ConnectionState } from '../core/connection.ts';
import * as defaults from '../core/defaults.ts';
import { networkOf } from './address.ts';
import type { Audience } from './fan-out.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { SharedFrames } from './shared-frames.ts';
import type { Counts } from './supervisor-types.ts';

/** Follows the connections of a registry. */
export interface ConnectionWatcher {
  connectionMoved(connection: ManagedConnection, to: ConnectionState): void;
}

/** The connections of a supervisor. Finds open ones by id and key; counts all by state, and accepted ones by address. */
export class Registry implements Audience {
  readonly counts: Counts = {
    handshaking: 0,
    open: 0,
    errored: 0,
    closing: 0,
    closed: 0,
    failed: 0,
  };
  /** The captures in progress. */
  readonly watchers = new Set<ConnectionWatcher>();
  /** How many connections have left so far. */
  removals = 0;
  shared: SharedFrames | null = null;
  /** The open connections by their ids. */
  readonly open = new Map<string, InboundConnection>();

  /** Connections of clients and pools that have not ended. They are counted, but get no broadcasts. */
  readonly dialed = new Set<ManagedConnection>();

  readonly #connections = new Set<InboundConnection>();
  readonly #keys = new Map<string, Set<InboundConnection>>();
  readonly #ipv6PrefixBits: number;
  /** The number of connections by IPv4 address or IPv6 network. */
  readonly #networks = new Map<string, number>();

  constructor(ipv6PrefixBits: number = defaults.admission.ipv6PrefixBits) {
    this.#ipv6PrefixBits = ipv6PrefixBits;
  }

  /** Every accepted connection that has not ended, whatever its state. */
  get connections(): ReadonlySet<InboundConnection> {
    return this.#connections;
  }

  /** Connections that have opened and not closed yet, and those that have closed so far. */
  get tally(): { readonly connected: number; readonly closed: number } {
    const { open, errored, closing, closed } = this.counts;
    return { connected: open + errored + closing, closed };
  }

  moved(connection: InboundConnection, from: ConnectionState | null, to: ConnectionState): void {
    this.#count(from, to);
    if (from === null) this.#add(connection);
    if (to === 'closed' || to === 'failed') this.#delete(connection);
    if (this.watchers.size > 0) this.#show(connection, to);
  }

  dialedMoved(
    connection: ManagedConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void {
    this.#count(from, to);
    if (from === null) this.dialed.add(connection);
    if (to === 'closed' || to === 'failed') this.dialed.delete(connection);
    if (this.watchers.size > 0) this.#show(connection, to);
  }

  #show(connection: ManagedConnection, to: ConnectionState): void {
    for (const watcher of this.watchers) watcher.connectionMoved(connection, to);
  }

  #count(from: ConnectionState | null, to: ConnectionState): void {
    if (from !== null) this.counts[from] -= 1;
    this.counts[to] += 1;
  }

  #add(connection: InboundConnection): void {
    this.#connections.add(connection);
    const network = this.#networkOf(connection.address);
    this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
  }

  #delete(connection: InboundConnection): void {
    this.#connections.delete(connection);
    const network = this.#networkOf(connection.address);
    const others = (this.#networks.get(network) ?? 0) - 1;
    if (others === 0) this.#networks.delete(network);
    else this.#networks.set(network, others);
  }

  /** How many connections an IPv4 address or the network of an IPv6 address has, including those being admitted. */
  fromAddress(address: string): number {
    return this.#networks.get(this.#networkOf(address)) ?? 0;
  }

  #networkOf(address: string): string {
    return networkOf(address, this.#ipv6PrefixBits);
  }

  /** How many live sockets of one server belong to these connections. */
  socketsOf(server: Server): number {
    let count = 0;
    for (const { transport } of this.#connections) if (transport.isAcceptedBy(server)) count += 1;
    return count;
  }

  enter(connection: InboundConnection): void {
    this.open.set(connection.id, connection);
    this.#enterKey(connection);
  }

  leave(connection: InboundConnection): void {
    this.open.delete(connection.id);
    this.removals += 1;
    this.#leaveKey(connection);
  }

  /** Gives an open connection another key. */
  rename(connection: InboundConnection, key: string | undefined): void {
    if (key === connection.side.key) return;
    this.#leaveKey(connection);
    connection.side.key = key;
    this.#enterKey(connection);
  }

  #enterKey(connection: InboundConnection): void {
    if (connection.side.key === undefined) return;
    const sameKey = this.#keys.get(connection.side.key);
    if (sameKey === undefined) this.#keys.set(connection.side.key, new Set([connection]));
    else sameKey.add(connection);
  }

  #leaveKey(connection: InboundConnection): void {
    if (connection.side.key === undefined) return;
    const sameKey = this.#keys.get(connection.side.key);
    if (sameKey?.delete(connection) && sameKey.size === 0) this.#keys.delete(connection.side.key);
  }

  get size(): number {
    return this.open.size;
  }

  /** The open connections: the audience of a broadcast. */
  [Symbol.iterator](): Iterator<InboundConnection> {
    return this.open.values();
  }

  has(connection: InboundConnection): boolean {
    // Not the id alone: other supervisors have connections with the same ids.
    return this.open.get(connection.id) === connection;
  }

  byKey(key: string): readonly InboundConnection[] {
    return [...(this.#keys.get(key) ?? [])];
  }
}
