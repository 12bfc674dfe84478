import type { Observable } from 'rxjs';
import { drainPlan, poolDrain } from '../../connection/drain.ts';
import type { ChartActor } from '../../core/actor.ts';
import type { DialedConnection } from '../../core/connection.ts';
import { printAs } from '../../core/text.ts';
import type { ClientEvent, Ending } from '../client-types.ts';
import type { Pool, PoolDrainOptions, PoolDrainReport, PoolStatus } from './pool-types.ts';
import type { SupervisedPool } from './supervised-pool.ts';

/** The public face of a pool. */
export class PoolHandle<In, Out> implements Pool<In, Out> {
  readonly #pool: SupervisedPool<In, Out>;

  constructor(pool: SupervisedPool<In, Out>) {
    this.#pool = pool;
  }

  get status(): PoolStatus {
    return this.#pool.status;
  }

  get actor(): ChartActor {
    return this.#pool.actor.reader(() => undefined, this.#pool.streams.report('actor'));
  }

  get status$(): Observable<PoolStatus> {
    return this.#pool.streams.statuses.observable;
  }

  get messages$(): Observable<In> {
    return this.#pool.streams.messages.observable;
  }

  get endings$(): Observable<Ending> {
    return this.#pool.streams.endings.observable;
  }

  get events$(): Observable<ClientEvent> {
    return this.#pool.streams.events.observable;
  }

  get connections(): Iterable<DialedConnection<In, Out>> {
    return this.#pool.connections;
  }

  checkout(): DialedConnection<In, Out> | undefined {
    return this.#pool.checkout();
  }

  async drain(options: PoolDrainOptions = {}): Promise<PoolDrainReport> {
    return this.#pool.drain(drainPlan(options, poolDrain), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  static {
    // Not the URLs, which may have credentials.
    printAs(PoolHandle.prototype, 'Pool', (pool) => {
      const { state, size, open } = pool.status;
      return { state, size, open, address: pool.#pool.address };
    });
  }
}
