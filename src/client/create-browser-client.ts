import type { ActorHost } from '../chart/hosted-actor.ts';
import { WebSocketEvents } from '../connection/web-socket-events.ts';
import { invalidOptions, problemAt } from '../core/option-rules.ts';
import { sharedRules } from '../core/shared-options.ts';
import {
  BrowserTransport,
  type NativeWebSocketConstructor,
} from '../transport/browser-transport.ts';
import { clientRuntime, type Platform } from './client-runtime.ts';
import type { Client } from './client-types.ts';
import type { HostSigns } from './host-signs.ts';
import { makeClient } from './make-client.ts';
import { type PageClientOptions, resolvePageOptions } from './page-options.ts';
import { type Directions, type Resolvable, type Route, routeBy } from './reconnect/route.ts';

const platform: Platform = {
  warnings: null,
  makeTransport: (connection, context) => {
    const { WebSocket } = globalThis as unknown as { WebSocket: NativeWebSocketConstructor };
    return new BrowserTransport(new WebSocketEvents(connection), context, WebSocket);
  },
  // A page lives as long as its tab.
  holdProcess: () => () => {},
  whenAborted: (signal, aborted) => {
    signal.addEventListener('abort', aborted);
    return () => signal.removeEventListener('abort', aborted);
  },
  watchHost: watchPageLifecycle,
};

/**
 * Creates a client in a page. It dials a peer, and dials again whenever the connection is lost, until you close it.
 *
 * @param url - where to dial: a URL of `ws:`, `wss:`, `http:` or `https:`, or one relative to the page; or a function
 *   that returns the URL for each attempt.
 * @throws MooringError `invalid-options`, with the path of every wrong option, or `url`; or `invalid-argument`. If a
 *   function returns a URL that cannot be dialed, the attempt fails with `target-error`.
 */
export function createClient<
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
>(
  url: Resolvable<string | URL>,
  given?: Omit<PageClientOptions<In, Out, Ask, Answer, Request, Reply>, 'inspect'>,
): Client<In, Out, Ask, Answer>;
export function createClient(
  url: Resolvable<string | URL>,
  given: Omit<PageClientOptions, 'inspect'> = {},
): Client {
  return makePageClient(url, given, null);
}

/**
 * @param actorHost - makes the actors; `null` for none.
 *
 * @internal
 */
export function makePageClient<In, Out>(
  url: Resolvable<string | URL>,
  given: PageClientOptions<In, Out>,
  actorHost: ActorHost | null,
): Client<In, Out> {
  const options = resolvePageOptions(given);
  if (options.inspect !== undefined && actorHost === null) {
    const remedy = "needs XState; import createClient from 'mooring/client/inspect'";
    throw invalidOptions([problemAt(given, ['inspect'], remedy)]);
  }
  const actors = { actorHost, areEager: true };
  return makeClient(url, options, {
    platform,
    actors,
    runtimeOf: clientRuntime,
    routeTo,
  });
}

function routeTo(directions: Directions): Route {
  const rules = { subprotocols: sharedRules.subprotocols };
  return routeBy({ rules, urlOf: pageUrl }, directions);
}

/**
 * Reads a URL as new browsers do for a WebSocket, because older ones accept neither `http:` nor a relative URL. `URL`
 * of React Native has neither `canParse` nor setters.
 */
function pageUrl(text: string): string | null {
  const { location } = globalThis as { location?: { href: string } };
  try {
    const url = new URL(new URL(text, location?.href).href.replace(/^http/, 'ws')).href;
    return /^wss?:[^#]*$/.test(url) ? url : null;
  } catch {
    return null;
  }
}

/** The parts of a page to watch. All are optional, because a worker lacks some of them. */
interface Page extends Partial<EventTarget> {
  readonly document?: EventTarget & { readonly visibilityState?: string };
  readonly navigator?: { readonly onLine?: boolean };
}

/**
 * Watches a page for signs that its connection may be gone, or that it can connect again.
 *
 * A browser throttles hidden tabs and freezes pages, and a phone changes its network. After that, the client probes or
 * dials at once, because its deadlines did not run in the meantime.
 *
 * @internal
 */
export function watchPageLifecycle(
  client: HostSigns,
  page: Page = globalThis as unknown as Page,
): () => void {
  const offline = () => client.offline();
  const online = () => client.online();
  const awake = () => {
    if (page.document?.visibilityState !== 'hidden') client.woke();
  };
  const { document } = page;
  const signs: [Partial<EventTarget> | undefined, string, () => void][] = [
    [page, 'offline', offline],
    [page, 'online', online],
    [page, 'pageshow', awake],
    [document, 'visibilitychange', awake],
    [document, 'resume', awake],
  ];
  for (const [target, type, listener] of signs) target?.addEventListener?.(type, listener);
  if (page.navigator?.onLine === false) offline();
  return () => {
    for (const [target, type, listener] of signs) target?.removeEventListener?.(type, listener);
  };
}
