import { exchangeWords } from '../connection/exchange.ts';
import type { Words } from '../core/heading.ts';
import type { OutboundConnection } from './outbound-connection.ts';

/** What a dialed connection does with each heading of a Mooring server. */
export const outboundWords: Words<OutboundConnection> = /* @__PURE__ */ new Map([...exchangeWords]);
