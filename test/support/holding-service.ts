import type { SupervisorOptions } from '../../src/index.ts';
import { FrozenProcess } from './frozen-peer.ts';

/** The options of such a service. */
export type HoldingOrder = Pick<SupervisorOptions, 'limits' | 'timeouts' | 'admission'>;

/** What it reports about itself. */
export interface HoldingCensus {
  readonly port: number;
  readonly open: number;
  /** Messages that were delivered. */
  readonly messages: number;
  /** Bytes that have been read from all sockets. */
  readonly bytesRead: number;
  /** Live memory after a garbage collection, in the heap and outside it. */
  readonly liveBytes: number;
  /** The cause, and the code of the sent close frame, of every connection that has closed. */
  readonly closed: readonly string[];
}

/** A supervisor in a separate process, whose memory can be measured. */
export class HoldingService extends FrozenProcess<HoldingCensus> {
  port = 0;

  static async start(order: HoldingOrder = {}): Promise<HoldingService> {
    const service = new HoldingService('./holding-service-program.js', order);
    ({ port: service.port } = await service.nextReport(0));
    return service;
  }
}
