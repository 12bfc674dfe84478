import { sharedRules } from '../../core/shared-options.ts';
import type { ConnectOptions } from '../../transport/connect-options.ts';
import { connectRule } from '../connect-rule.ts';
import { type Headers, headersRule } from './headers.ts';
import {
  type Directions,
  offered,
  type Parts,
  type Plan,
  type Resolvable,
  type Route,
  routeBy,
} from './route.ts';

/** What a client in Node.js is given to find its peer. A page can set neither headers nor how it connects. */
export interface NodeDirections extends Directions {
  readonly headers: Resolvable<Headers>;
  readonly connect: Resolvable<ConnectOptions>;
}

interface NodeParts extends Parts {
  readonly headers: Headers;
  readonly connect: ConnectOptions;
}

/** Makes the route of a client in Node.js. @throws MooringError `invalid-options` for a URL that cannot be dialed. */
export function nodeRoute({ beat, ...parts }: NodeDirections): Route {
  return routeBy(planWith(beat), parts);
}

function planWith(beat: boolean): Plan<NodeParts> {
  return {
    rules: {
      subprotocols: sharedRules.subprotocols,
      headers: headersRule,
      connect: connectRule,
    },
    parse: nodeUrl,
    destination: (parts, { host: address, pathname: path }) => {
      const { headers, connect } = parts;
      const subprotocols = offered(parts, beat);
      return { url: String(parts.url), subprotocols, headers, connect, address, path };
    },
  };
}

/** Reads the URL of a WebSocket; `null` if ws would refuse it. */
export function nodeUrl(text: string): URL | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const { protocol, hash, pathname } = url;
  const isSocket =
    /^(wss?|https?):$/.test(protocol) || (protocol === 'ws+unix:' && pathname !== '');
  return isSocket && hash === '' ? url : null;
}
