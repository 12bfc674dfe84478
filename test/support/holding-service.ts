import type { SupervisorOptions } from '../../src/index.ts';
import { FrozenProcess } from './frozen-peer.ts';

/** What such a service is made with. */
export type HoldingOrder = Pick<SupervisorOptions, 'limits' | 'timeouts' | 'admission'>;

/** What it says of itself. */
export interface HoldingCensus {
  readonly port: number;
  readonly open: number;
  /** Messages that were delivered. */
  readonly messages: number;
  /** Bytes that have been read from all sockets. */
  readonly bytesRead: number;
  /** What is alive after a garbage collection, in the heap and outside of it. */
  readonly liveBytes: number;
  /** Cause, and code of the close frame that was sent, of every connection that has closed. */
  readonly closed: readonly string[];
}

/** A supervisor in a process of its own, whose memory can be measured. */
export class HoldingService extends FrozenProcess<HoldingCensus> {
  port = 0;

  static async start(order: HoldingOrder = {}): Promise<HoldingService> {
    const service = new HoldingService('./holding-service-program.js', order);
    ({ port: service.port } = await service.nextReport(0));
    return service;
  }
}
