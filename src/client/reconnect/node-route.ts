import { sharedRules } from '../../core/shared-options.ts';
import type { ConnectOptions } from '../../transport/connect-options.ts';
import { connectRule } from '../connect-rule.ts';
import { type Headers, headersRule } from './headers.ts';
import { type Directions, type Resolvable, type Route, routeBy } from './route.ts';

/** What a client in Node.js is given to find its peer. A page can set neither headers nor how it connects. */
export interface NodeDirections extends Directions {
  readonly headers: Resolvable<Headers>;
  readonly connect: Resolvable<ConnectOptions>;
}

const rules = {
  subprotocols: sharedRules.subprotocols,
  headers: headersRule,
  connect: connectRule,
};

/** Makes the route of a client in Node.js. @throws MooringError `invalid-options` for a URL that cannot be dialed. */
export function nodeRoute(directions: NodeDirections): Route {
  return routeBy({ rules, urlOf: nodeUrl }, directions);
}

/** Returns the URL of a WebSocket as it is; `null` if ws would refuse it. */
export function nodeUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const { protocol, hash, pathname } = new URL(text);
  const isSocket =
    /^(wss?|https?):$/.test(protocol) || (protocol === 'ws+unix:' && pathname !== '');
  return isSocket && hash === '' ? text : null;
}
