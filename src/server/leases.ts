import type { Deadline, DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';
import type { InboundConnection } from './inbound-connection.ts';

/** What a lease begins with. */
export interface LeaseTerms {
  readonly release?: (() => unknown) | undefined;
  readonly expiresInMs?: number | undefined;
}

/** What one connection holds of what `authenticate` took for it, and for how long. */
class Lease implements DeadlineOwner {
  readonly release: (() => unknown) | undefined;
  expiry: Deadline | null = null;
  readonly #connection: InboundConnection;

  constructor(connection: InboundConnection, release: (() => unknown) | undefined) {
    this.#connection = connection;
    this.release = release;
  }

  deadlinePassed(): void {
    this.expiry = null;
    this.#connection.end('expired');
  }
}

/**
 * The leases of one supervisor's connections.
 *
 * Beside the connections, not in them: most have none, and pay nothing for it.
 */
export class Leases {
  readonly #wheel: TimerWheel;
  readonly #leases = new Map<InboundConnection, Lease>();

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  begin(connection: InboundConnection, { release, expiresInMs }: LeaseTerms): void {
    if (release === undefined && expiresInMs === undefined) return;
    const lease = new Lease(connection, release);
    this.#leases.set(connection, lease);
    this.#expire(lease, expiresInMs ?? null);
  }

  /** Sets when the connection expires: `null` for never. Without a value it expires as before. */
  renew(connection: InboundConnection, expiresInMs: number | null | undefined): void {
    if (expiresInMs === undefined) return;
    const lease = this.#leases.get(connection);
    if (lease !== undefined) this.#expire(lease, expiresInMs);
    else if (expiresInMs !== null) this.begin(connection, { expiresInMs });
  }

  /** The connection is over. Returns what is to be released. */
  end(connection: InboundConnection): (() => unknown) | undefined {
    const lease = this.#leases.get(connection);
    if (lease === undefined) return undefined;
    this.#leases.delete(connection);
    this.#wheel.cancel(lease.expiry);
    return lease.release;
  }

  #expire(lease: Lease, expiresInMs: number | null): void {
    lease.expiry = this.#wheel.cancel(lease.expiry);
    if (expiresInMs === null) return;
    lease.expiry = this.#wheel.schedule(Math.max(0, expiresInMs), lease, 'expiry');
  }
}
