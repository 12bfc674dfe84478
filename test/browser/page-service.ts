import type { HeartbeatOptions } from '../../src/index.ts';
import { FrozenProcess } from '../support/frozen-peer.ts';

/** The orders for a server of pages. */
export interface PageOrder {
  readonly heartbeat: HeartbeatOptions;
  /** 0 for any port. */
  readonly port: number;
}

/** What it reports about itself. */
export interface PageCensus {
  readonly port: number;
  readonly open: number;
  /** Every connection that has closed: cause and code. */
  readonly closed: readonly string[];
}

/** A server of the lifecycle page in a separate process, which a test can kill, or stop at any moment. */
export class PageService extends FrozenProcess<PageCensus> {
  port = 0;

  static async start(order: PageOrder): Promise<PageService> {
    const service = new PageService(
      new URL('./page-service-program.js', import.meta.url).href,
      order,
    );
    ({ port: service.port } = await service.nextReport(0));
    return service;
  }
}
