import type { HeartbeatOptions } from '../../src/index.ts';
import { FrozenProcess } from '../support/frozen-peer.ts';

/** What a server of pages is asked for. */
export interface PageOrder {
  readonly heartbeat: HeartbeatOptions;
  /** 0 for any. */
  readonly port: number;
}

/** What it says of itself. */
export interface PageCensus {
  readonly port: number;
  readonly open: number;
  /** Every connection that has closed: cause and code. */
  readonly closed: readonly string[];
}

/** A server of the lifecycle page in a process of its own, to be killed, or stopped in the middle of whatever it does. */
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
