import { pageClock } from '../core/clock.ts';
import type { Client } from './client-types.ts';
import { makeClient } from './make-client.ts';
import { type NativeWebSocketConstructor, NativeWire } from './native-wire.ts';
import type { ClientOptions } from './options.ts';
import { pageSigns } from './page-signs.ts';
import type { Platform } from './platform.ts';
import type { Renewable } from './target.ts';

const platform: Platform = {
  makeWire: (observer, { limits }) => {
    const { WebSocket } = globalThis as unknown as { WebSocket: NativeWebSocketConstructor };
    return new NativeWire(observer, limits, WebSocket);
  },
  // A page lives as long as its tab.
  holdProcess: () => () => {},
  watchSigns: pageSigns,
};

/**
 * Dials a peer from a page, and dials again whenever the connection is lost, until it is closed.
 *
 * @throws SupervisorError `invalid-options`, naming every option that is wrong by its path, or `invalid-argument`. A URL
 *   that cannot be dialed is reported as a `config-error`.
 */
export function createClient<In = unknown, Out = unknown>(
  url: Renewable<string | URL>,
  given: ClientOptions<In, Out> = {},
): Client<In, Out> {
  return makeClient(url, given, { platform, clock: pageClock, headers: {} });
}
