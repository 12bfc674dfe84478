// Goal: a page learns why it was refused, and a client in it loses no waiting message. Method: Chromium, a service
// that refuses behind the 101, and everything that it received.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { createSupervisor, type Listener, listen, Refusal } from '../../src/index.ts';
import { clientPage, servePages } from './client-page.ts';
import { launchBrowser } from './lobby-tab.ts';

const REFUSED_TIMES = 25;

const PAGE = clientPage(`
globalThis.ends = [];
globalThis.ask = (query, protocols) => new Promise((resolve) => {
  const socket = new WebSocket('ws://' + location.host + '/ws?' + query, protocols);
  const told = { opened: false };
  socket.onopen = () => (told.opened = true);
  socket.onclose = ({ code, reason, wasClean }) => resolve({ ...told, code, reason, wasClean });
});
globalThis.start = () => {
  globalThis.client = createClient('ws://' + location.host + '/ws?busy', {
    backoff: { minMs: 5, maxMs: 20 },
  });
  client.endings$.subscribe((ending) => ends.push(ending.verdict?.code ?? ending.failure.cause));
  for (let number = 0; number < 50; number += 1) client.send(number);
};`);

describe('a page that is refused', { timeout: 120_000 }, () => {
  const heard: unknown[] = [];
  let refusedTimes = 0;
  let browser: Browser;
  let page: Page;
  let listener: Listener;

  const supervisor = createSupervisor({
    unmatchedSubprotocols: 'open',
    subprotocols: ['chat'],
    authenticate({ url }) {
      const query = url?.split('?')[1];
      if (query === 'http') throw new Refusal(401, 'sign in first');
      if (query !== 'busy') throw new Refusal(Number(query), 'sign in first', { close: true });
      refusedTimes += 1;
      return refusedTimes > REFUSED_TIMES || new Refusal(503, 'busy', { close: true });
    },
    onMessage: (_connection, message) => void heard.push(message),
  });

  before(async () => {
    listener = await listen(supervisor, { path: '/ws', onRequest: servePages({ '/': PAGE }) });
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${listener.port}/`);
    await page.waitForFunction('globalThis.start !== undefined');
  });

  after(async () => {
    await browser.close();
    await supervisor.drain({ withinMs: 500 });
    await listener.close();
  });

  it('learns nothing from an HTTP answer', async () => {
    assert.deepEqual(await page.evaluate('ask("http")'), {
      ...{ opened: false, code: 1006, reason: '', wasClean: false },
    });
  });

  for (const [status, code, protocols] of [
    [401, 3000, '[]'],
    [403, 3003, '["chat"]'],
    [429, 4429, '["v2.chat", "v1.chat"]'],
  ] as const) {
    it(`gets ${code} and the reason behind the 101, with the subprotocols ${protocols}`, async () => {
      assert.deepEqual(await page.evaluate(`ask("${status}", ${protocols})`), {
        ...{ opened: true, code, reason: 'sign in first', wasClean: true },
      });
    });
  }

  it(`loses no waiting message, refused ${REFUSED_TIMES} times before it is admitted`, async () => {
    await page.evaluate('start()');
    await page.waitForFunction(
      `client.status.state === 'up' && client.status.attempts > ${REFUSED_TIMES} && client.queuedMessages === 0`,
    );
    const [connection] = supervisor.connections;
    assert.ok(connection);
    await page.evaluate('client.close()');
    const ends = (await page.evaluate('ends')) as number[];
    assert.deepEqual(ends.slice(0, REFUSED_TIMES), Array(REFUSED_TIMES).fill(4503));
    assert.deepEqual(
      heard,
      Array.from({ length: 50 }, (_, index) => index),
    );
  });
});
