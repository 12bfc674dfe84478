// Goal: a real browser keeps and judges connections to servers without Mooring, by messages. Method: servers of plain
// ws that expect heartbeats as services on the internet do, and for each a page on the server that it dials.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import {
  bitget,
  busy,
  type Feed,
  FeedServer,
  hung,
  phoenix,
  pusher,
} from '../support/feed-server.ts';
import { until } from '../support/until.ts';
import { clientPage, servePages } from './client-page.ts';
import { launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 120_000;

/** A page with a client that has these options, given as code. It records the results. */
const pageWith = (options: string) =>
  clientPage(`
const told = { endings: [], messages: [], events: [], states: [] };
const options = ${options};
const client = createClient('ws://' + location.host + '/', {
  backoff: { minMs: 20, maxMs: 100, stableMs: 200 },
  timeouts: { closeMs: 500 },
  ...options,
});
client.status$.subscribe(({ states }) => told.states.push(states.at(-1)));
client.endings$.subscribe(({ verdict, failure }) => {
  const { cause, origin, level } = verdict ?? failure;
  told.endings.push([cause, origin, level].join(' '));
});
client.messages$.subscribe((message) => told.messages.push(message));
client.events$.subscribe(({ type }) => told.events.push(type));
Object.assign(globalThis, { client, told });`);

interface Told {
  readonly endings: readonly string[];
  readonly messages: readonly unknown[];
  readonly events: readonly string[];
  readonly states: readonly string[];
}

describe('heartbeats in a browser', { timeout: TIMEOUT_MS }, () => {
  let browser: Browser;
  let server: FeedServer;
  let page: Page;

  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser.close());

  /** Opens a page on the server of a feed, and closes both after the test. */
  const inPage = (feed: Feed, options: string, test: () => Promise<void>) => async () => {
    server = await FeedServer.start(feed, servePages({ '/': pageWith(options) }));
    page = await browser.newPage();
    try {
      await page.goto(`http://127.0.0.1:${server.port}/`);
      await page.waitForFunction('globalThis.client !== undefined');
      await test();
    } finally {
      await page.close();
      await server.stop();
    }
  };

  const told = () => page.evaluate('told') as Promise<Told>;
  const reach = (condition: string) =>
    page.waitForFunction(condition, undefined, { timeout: 30_000 });

  it(
    'keep a busy feed open that ends silent clients, as Bitget does',
    inPage(
      bitget(1_500),
      `{ heartbeat: { message: 'ping', expects: (p) => p === 'pong', everyMs: 100, always: true } }`,
      async () => {
        await until(() => server.messages.length >= 25, 'it has pinged for longer than that');
        const { endings, messages, events } = await told();
        assert.deepEqual([endings, events], [[], []]);
        assert.ok(messages.length > 10 && messages.every((each) => typeof each === 'object'));
      },
    ),
  );

  it(
    'go through the codec, and their answers are hidden, as Phoenix requires',
    inPage(
      phoenix,
      `{ heartbeat: { message: () => [null, String(++globalThis.ref || (globalThis.ref = 1)), 'phoenix', 'heartbeat', {}],
        expects: (p) => typeof p === 'string' && JSON.parse(p)[2] === 'phoenix', everyMs: 50 } }`,
      async () => {
        await until(() => server.messages.length >= 3, 'it has asked');
        const { endings, messages, events } = await told();
        assert.deepEqual([endings, messages, events], [[], [], []]);
        assert.equal(server.messages[1], '[null,"2","phoenix","heartbeat",{}]');
      },
    ),
  );

  it(
    'answer pings that are messages, as Pusher sends them',
    inPage(
      pusher(50, 3_000),
      `{ heartbeat: { expects: (p, answer) => p.includes('pusher:ping') && answer({ event: 'pusher:pong' }) !== 'refused' } }`,
      async () => {
        await until(() => server.messages.length >= 3, 'it has answered');
        const { endings, messages, events } = await told();
        assert.deepEqual([endings, messages, events], [[], [], []]);
      },
    ),
  );

  it(
    'give up an application that hangs although its system answers pings',
    inPage(
      hung,
      `{ heartbeat: { message: 'ping', expects: (p) => p === 'pong', everyMs: 100, graceMs: 300 } }`,
      async () => {
        await reach('told.endings.length >= 2');
        const { endings, states } = await told();
        assert.equal(endings[0], 'heartbeat-timeout network warn');
        assert.ok(states.includes('up.suspect'));
      },
    ),
  );

  it(
    'end a feed that silentMs finds dead, and dial again',
    inPage(
      ({ socket, number }) => {
        if (number > 1) return busy(socket);
        const timer = setInterval(() => socket.ping(), 20);
        return () => clearInterval(timer);
      },
      '{ silentMs: 500 }',
      async () => {
        await reach('told.messages.length >= 5');
        assert.equal((await told()).endings[0], 'silent local warn');
        assert.equal(server.closed[0], '4000 silent');
      },
    ),
  );

  it(
    'report a lost network by its cause, and never deliver a message that is too long',
    inPage(
      ({ socket, number }) => {
        if (number === 1) setTimeout(() => socket.terminate(), 100);
        else socket.send(JSON.stringify('x'.repeat(2_000)));
        return undefined;
      },
      '{ limits: { payloadBytesMax: 1_000 } }',
      async () => {
        await reach('told.endings.length >= 2');
        const { endings, messages } = await told();
        assert.deepEqual(endings.slice(0, 2), [
          'connection-lost network warn',
          'message-limit local warn',
        ]);
        assert.deepEqual(messages, []);
      },
    ),
  );

  it(
    'end a feed that is too fast for a paused page',
    inPage(
      ({ socket }) => busy(socket),
      '{ limits: { payloadBytesMax: 5_000 }, onMessage: (connection) => connection.pause() }',
      async () => {
        await reach('told.endings.length >= 1');
        assert.equal((await told()).endings[0], 'reader-too-slow local error');
      },
    ),
  );

  it(
    'probe at once when the application reports that the host woke up',
    inPage(
      hung,
      `{ heartbeat: { message: 'ping', everyMs: 600_000 }, signs: (host) => { globalThis.host = host; } }`,
      async () => {
        await reach('client.status.state === "up"');
        await page.evaluate('client.wake()');
        await until(() => server.messages.length === 1, 'it asks');
        await page.evaluate('host.woke()');
        await until(() => server.messages.length === 2, 'and again');
      },
    ),
  );
});
