import type { Server } from 'node:net';
import type { Port } from '../connection/port.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { AcceptedPort } from './accepted-port.ts';
import { networkOf, USUAL_PREFIX_BITS } from './address.ts';
import type { Counts } from './supervisor-types.ts';

/** Who is there: every port by state, the accepted ones also by address and, when open, by id and key. */
export class Registry {
  readonly counts: Counts = {
    handshaking: 0,
    open: 0,
    errored: 0,
    closing: 0,
    closed: 0,
    failed: 0,
  };
  /** How many have left so far. */
  departures = 0;
  /** The connections that are open, and no others. */
  readonly open = new Map<string, AcceptedPort>();

  /** Those that clients and pools have dialed, and that have not ended. They are counted, and no audience. */
  readonly dialed = new Set<Port>();

  readonly #ports = new Set<AcceptedPort>();
  readonly #keys = new Map<string, Set<AcceptedPort>>();
  readonly #ipv6PrefixBits: number;
  /** By address, or by network where one peer has a network of addresses. */
  readonly #networks = new Map<string, number>();

  constructor(ipv6PrefixBits: number = USUAL_PREFIX_BITS) {
    this.#ipv6PrefixBits = ipv6PrefixBits;
  }

  /** Every accepted connection that has not ended, whatever its state. */
  get ports(): ReadonlySet<AcceptedPort> {
    return this.#ports;
  }

  moved(port: AcceptedPort, from: ConnectionState | null, to: ConnectionState): void {
    this.#count(from, to);
    if (from === null) this.#add(port);
    if (to === 'closed' || to === 'failed') this.#delete(port);
  }

  dialedMoved(port: Port, from: ConnectionState | null, to: ConnectionState): void {
    this.#count(from, to);
    if (from === null) this.dialed.add(port);
    if (to === 'closed' || to === 'failed') this.dialed.delete(port);
  }

  #count(from: ConnectionState | null, to: ConnectionState): void {
    if (from !== null) this.counts[from] -= 1;
    this.counts[to] += 1;
  }

  #add(port: AcceptedPort): void {
    this.#ports.add(port);
    const network = this.#networkOf(port.address);
    this.#networks.set(network, (this.#networks.get(network) ?? 0) + 1);
  }

  #delete(port: AcceptedPort): void {
    this.#ports.delete(port);
    const network = this.#networkOf(port.address);
    const others = (this.#networks.get(network) ?? 0) - 1;
    if (others === 0) this.#networks.delete(network);
    else this.#networks.set(network, others);
  }

  /** How many connections an address has, or the IPv6 network that it is of; those being admitted included. */
  fromAddress(address: string): number {
    return this.#networks.get(this.#networkOf(address)) ?? 0;
  }

  #networkOf(address: string): string {
    return networkOf(address, this.#ipv6PrefixBits);
  }

  /** How many live sockets of one server belong to these ports. */
  socketsOf(server: Server): number {
    let count = 0;
    for (const { wire } of this.#ports) if (wire.isAcceptedBy(server)) count += 1;
    return count;
  }

  enter(port: AcceptedPort): void {
    this.open.set(port.id, port);
    this.#enterKey(port);
  }

  leave(port: AcceptedPort): void {
    this.open.delete(port.id);
    this.departures += 1;
    this.#leaveKey(port);
  }

  /** An open connection has another key. */
  rename(port: AcceptedPort, key: string | undefined): void {
    if (key === port.key) return;
    this.#leaveKey(port);
    port.key = key;
    this.#enterKey(port);
  }

  #enterKey(port: AcceptedPort): void {
    if (port.key === undefined) return;
    const namesakes = this.#keys.get(port.key);
    if (namesakes === undefined) this.#keys.set(port.key, new Set([port]));
    else namesakes.add(port);
  }

  #leaveKey(port: AcceptedPort): void {
    if (port.key === undefined) return;
    const namesakes = this.#keys.get(port.key);
    if (namesakes?.delete(port) && namesakes.size === 0) this.#keys.delete(port.key);
  }

  /** The open connections; with {@link has} they are an audience. */
  [Symbol.iterator](): Iterator<AcceptedPort> {
    return this.open.values();
  }

  has(port: AcceptedPort): boolean {
    return this.open.has(port.id);
  }

  byKey(key: string): readonly AcceptedPort[] {
    return [...(this.#keys.get(key) ?? [])];
  }
}
