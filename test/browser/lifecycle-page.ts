import type { HeartbeatOptions } from '../../src/index.ts';
import type { Tab } from '../support/chromium.ts';
import { clientPage } from './client-page.ts';

/** Everything that the client of the page has reported, and what happened to the page. */
export interface Told {
  readonly states: string[];
  /** `closed`, cause and code, or `failed` and cause. */
  readonly endings: string[];
  readonly events: string[];
  readonly messages: unknown[];
  readonly beats: { readonly asked: number; readonly gotAnswer: number; readonly answered: number };
  /** Lifecycle events of the page, in order. */
  readonly life: string[];
}

const lifecyclePage = clientPage(`
const beats = { asked: 0, gotAnswer: 0, answered: 0 };
const told = { states: [], endings: [], events: [], messages: [], beats, life: [] };
globalThis.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    this.addEventListener('message', ({ data }) => {
      if (data === '\\u0006') beats.gotAnswer += 1;
    });
  }
  send(payload) {
    if (payload === '\\u0005') beats.asked += 1;
    if (payload === '\\u0006') beats.answered += 1;
    super.send(payload);
  }
};
document.addEventListener('visibilitychange', () => told.life.push(document.visibilityState));
document.addEventListener('freeze', () => told.life.push('freeze'));
document.addEventListener('resume', () => told.life.push('resume'));
addEventListener('pageshow', ({ persisted }) => told.life.push(persisted ? 'restored' : 'loaded'));
const client = createClient('ws://' + location.host + '/ws', {
  mooring: true,
  heartbeat: JSON.parse(new URLSearchParams(location.search).get('heartbeat')),
  backoff: { minMs: 100, maxMs: 500, stableMs: 200 },
  timeouts: { handshakeMs: 2_000, closeMs: 1_000, erroredMs: 500, forcedMs: 500 },
  // The first beat of the page is nearly an interval away, and not anywhere in it.
  random: () => 0.9,
});
client.status$.subscribe(({ states }) => told.states.push(states.at(-1)));
client.endings$.subscribe(({ outcome, verdict, failure }) =>
  told.endings.push(
    outcome === 'closed' ? 'closed ' + verdict.cause + ' ' + verdict.code : 'failed ' + failure.cause,
  ),
);
client.events$.subscribe(({ type }) => told.events.push(type));
client.messages$.subscribe((message) => told.messages.push(message));
Object.assign(globalThis, { client, told });`);

/** What a server has for a browser: the page of the client, and another page to navigate to. */
export const lifecyclePages = {
  '/': lifecyclePage,
  '/away': '<!doctype html><link rel="icon" href="data:,"><title>away</title>',
};

/** The path of the page whose client has this heartbeat. */
export function lifecycleUrl(port: number, heartbeat: HeartbeatOptions): string {
  const query = new URLSearchParams({ heartbeat: JSON.stringify(heartbeat) });
  return `http://127.0.0.1:${port}/?${query}`;
}

/** What the page has recorded. */
export function toldIn(tab: Tab): Promise<Told> {
  return tab.evaluate<Told>('told');
}

/** Waits until the client has been up this many times: `2` after one reconnect. */
export function isUp(tab: Tab, times = 1): Promise<void> {
  const entered = 'told.states.filter((state) => state === "up.settling").length';
  return tab.until(`${entered} === ${times} && client.status.state === "up"`);
}
