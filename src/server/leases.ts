import type { Deadline, DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';
import type { AcceptedPort } from './accepted-port.ts';

/** What a lease begins with. */
export interface LeaseTerms {
  readonly release?: (() => unknown) | undefined;
  readonly expiresInMs?: number | undefined;
}

/** What one connection holds of what `authenticate` took for it, and for how long. */
class Lease implements DeadlineOwner {
  readonly release: (() => unknown) | undefined;
  expiry: Deadline | null = null;
  readonly #port: AcceptedPort;

  constructor(port: AcceptedPort, release: (() => unknown) | undefined) {
    this.#port = port;
    this.release = release;
  }

  deadlinePassed(): void {
    this.expiry = null;
    this.#port.end('expired');
  }
}

/**
 * The leases of one supervisor's connections.
 *
 * Beside the connections, not in them: most have none, and pay nothing for it.
 */
export class Leases {
  readonly #wheel: TimerWheel;
  readonly #leases = new Map<AcceptedPort, Lease>();

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  begin(port: AcceptedPort, { release, expiresInMs }: LeaseTerms): void {
    if (release === undefined && expiresInMs === undefined) return;
    const lease = new Lease(port, release);
    this.#leases.set(port, lease);
    this.#expire(lease, expiresInMs ?? null);
  }

  /** Sets when the connection expires: `null` for never. Without a value it expires as before. */
  renew(port: AcceptedPort, expiresInMs: number | null | undefined): void {
    if (expiresInMs === undefined) return;
    const lease = this.#leases.get(port);
    if (lease !== undefined) this.#expire(lease, expiresInMs);
    else if (expiresInMs !== null) this.begin(port, { expiresInMs });
  }

  /** The connection is over. Returns what is to be released. */
  end(port: AcceptedPort): (() => unknown) | undefined {
    const lease = this.#leases.get(port);
    if (lease === undefined) return undefined;
    this.#leases.delete(port);
    this.#wheel.cancel(lease.expiry);
    return lease.release;
  }

  #expire(lease: Lease, expiresInMs: number | null): void {
    lease.expiry = this.#wheel.cancel(lease.expiry);
    if (expiresInMs === null) return;
    lease.expiry = this.#wheel.schedule(Math.max(0, expiresInMs), lease, 'expiry');
  }
}
