import { exchangeWords } from '../connection/exchange.ts';
import type { Words } from '../core/heading.ts';
import type { OutboundConnection } from './outbound-connection.ts';
import { waypointOf } from './positions.ts';

type Act = (connection: OutboundConnection, values: readonly unknown[]) => void;

/** The client is at this position now. */
const moves: Act = ({ side }, values) => {
  const waypoint = waypointOf(values);
  if (waypoint !== null) side.passed(waypoint);
};

/** What a dialed connection does with each heading of a Mooring server. */
export const outboundWords: Words<OutboundConnection> = /* @__PURE__ */ (() =>
  new Map<string, Act>([
    ...exchangeWords,
    ['on', moves],
    ['still', moves],
    // The client is at this position when it has the next message.
    ['at', ({ side }, values) => side.approaches(waypointOf(values))],
    [
      'off',
      ({ side }, [topic]) => {
        if (typeof topic === 'string') side.passed({ topic, position: null });
      },
    ],
    ['go', ({ side }) => side.sentOn()],
  ]))();
