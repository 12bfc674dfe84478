import { invalidOptions } from '../../core/option-rules.ts';
import { sharedRules } from '../../core/shared-options.ts';
import type { ConnectOptions } from '../../transport/connect-options.ts';
import { connectRule } from '../connect-rule.ts';
import { type Headers, headersRule } from './headers.ts';
import { type Directions, type Resolvable, type Route, routeBy } from './route.ts';

/** Where a client in Node.js dials, and how. A page can set neither headers nor how it connects. */
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

/**
 * Returns why ws would refuse a text as a URL; `null` if it would not. It never repeats the text, which may contain
 * credentials.
 */
export function urlProblem(text: string): string | null {
  const reason = reasonAgainst(text);
  return reason === null ? null : `must be the URL of a WebSocket: ${reason}`;
}

/** How a host with a port begins, or a host name with a dot. `localhost:8080` would be a URL of the scheme `localhost`. */
const hostFirst = /^(?!(?:wss?|https?):)[\w-]+(\.[\w-]+|:\d+)/i;

function reasonAgainst(text: string): string | null {
  if (hostFirst.test(text)) return 'it has no scheme; write ws:// or wss:// before the host';
  return URL.canParse(text) ? refusal(new URL(text)) : unreadable(text);
}

function unreadable(text: string): string {
  if (text === '') return 'it is empty';
  const isAbsolute = /^[a-z][a-z\d+.-]*:/i.test(text);
  return isAbsolute ? 'it cannot be read' : 'it is relative, and only a page has a URL of its own';
}

function refusal({ protocol, hash, pathname }: URL): string | null {
  if (protocol === 'ws+unix:' && pathname === '') return 'it names no socket';
  if (!/^(wss?|https?|ws\+unix):$/.test(protocol)) return 'it begins with neither ws: nor wss:';
  return hash === '' ? null : 'it has a fragment (#)';
}

function nodeUrl(text: string): string {
  const problem = urlProblem(text);
  if (problem !== null) throw invalidOptions([`url: ${problem}`]);
  return text;
}
