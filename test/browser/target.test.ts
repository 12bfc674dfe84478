// Goal: a client in a page dials what a WebSocket of its browser may dial, and calls the function for its subprotocols
// for each attempt. Method: Chromium, and a service that closes each first connection and records the offer.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { createSupervisor, type Listener, listen } from '../../src/index.ts';
import { clientPage, servePages } from './client-page.ts';
import { launchBrowser } from './lobby-tab.ts';

const PAGE = clientPage(`
const backoff = { minMs: 5, maxMs: 20 };
globalThis.dial = async (url) => {
  try {
    const client = createClient(url, { backoff });
    const known = client.url;
    while (client.status.state !== 'up') await new Promise((resolve) => setTimeout(resolve, 5));
    await client.close();
    return known;
  } catch ({ code, message }) {
    return code + ' ' + message;
  }
};
globalThis.renew = async () => {
  let asked = 0;
  const endings = [];
  const subprotocols = async () => {
    asked += 1;
    return asked === 2 ? ['chat', 'a b'] : ['chat', 'token' + asked];
  };
  const client = createClient(() => '/ws?denied', { backoff, subprotocols });
  client.endings$.subscribe(({ failure, verdict }) =>
    endings.push(failure ? failure.cause + ' ' + failure.error.message : verdict.code));
  while (asked < 3 || client.status.state !== 'up') await new Promise((resolve) => setTimeout(resolve, 5));
  await client.close();
  return endings;
};`);

describe('what a page dials', { timeout: 120_000 }, () => {
  const offers: (string | undefined)[] = [];
  let browser: Browser;
  let page: Page;
  let listener: Listener;

  const supervisor = createSupervisor({
    subprotocols: ['chat'],
    authenticate({ headers, url = '' }) {
      if (!url.includes('denied')) return {};
      offers.push(headers['sec-websocket-protocol']);
      return { isDenied: offers.length === 1 };
    },
    onOpen(connection) {
      if ('isDenied' in connection.peer && connection.peer.isDenied) connection.close(3000);
    },
  });

  before(async () => {
    listener = await listen(supervisor, { path: '/ws', onRequest: servePages({ '/app/': PAGE }) });
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${listener.port}/app/`);
    await page.waitForFunction('globalThis.renew !== undefined');
  });

  after(async () => {
    await browser.close();
    await supervisor.drain({ withinMs: 500 });
    await listener.close();
  });

  const dial = (url: string) => page.evaluate(`dial(${JSON.stringify(url)})`);

  it('is a URL relative to its own, or one with its own scheme', async () => {
    const expected = `ws://127.0.0.1:${listener.port}/ws`;
    const urls = ['/ws', '../ws', `http://127.0.0.1:${listener.port}/ws`, expected];
    for (const url of urls) assert.equal(await dial(url), expected);
  });

  it('is refused at once where no WebSocket can dial it', async () => {
    for (const url of ['ftp://127.0.0.1/ws', 'mailto:a@b.test', '/ws#top']) {
      assert.equal(await dial(url), 'invalid-options url: must be the URL of a WebSocket', url);
    }
  });

  it('offers other subprotocols in each attempt', async () => {
    const endings = await page.evaluate('renew()');
    const problem = 'options.subprotocols.1: has a character that is not allowed in a subprotocol';
    assert.deepEqual(endings, [3000, `target-error ${problem}`, 1000]);
    assert.deepEqual(offers, ['chat, token1', 'chat, token3']);
  });
});
