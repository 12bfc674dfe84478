import { exchangeWords } from '../connection/exchange.ts';
import type { Words } from '../core/heading.ts';
import type { InboundConnection } from './inbound-connection.ts';

/** What an accepted connection does with each heading of a Mooring client. */
export const inboundWords: Words<InboundConnection> = new Map<
  string,
  (connection: InboundConnection, values: readonly unknown[]) => void
>([...exchangeWords, ['from', ({ side }, [positions]) => side.positionsTold(positions)]]);
