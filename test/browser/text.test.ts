// Goal: text is the same at both ends, in a page as in Node.js, even if it begins with U+FEFF. Method: a page and a
// server exchange text frames and close reasons in Chromium.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import {
  createSupervisor,
  type Listener,
  listen,
  type Supervisor,
  textCodec,
} from '../../src/index.ts';
import { until } from '../support/until.ts';
import { clientPage, servePages } from './client-page.ts';
import { launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 120_000;

const PAGE = clientPage(`
import { textCodec } from '/compiled/src/client/browser.js';
const received = [];
const verdicts = [];
const client = createClient('ws://' + location.host + '/ws', {
  codec: textCodec(),
  backoff: { minMs: 50, maxMs: 100 },
});
client.messages$.subscribe((message) => received.push(message));
client.endings$.subscribe(({ verdict }) => verdict && verdicts.push(verdict.reason));
Object.assign(globalThis, { client, received, verdicts });`);

const texts = ['\ufeff', '\ufeffhi', '\ufeff\ufeffhi', 'h\ufeffi', '\ufeff{"price":1}'];

describe('text between a page and a server', { timeout: TIMEOUT_MS }, () => {
  const received: unknown[] = [];
  const reasons: string[] = [];
  let browser: Browser;
  let page: Page;
  let supervisor: Supervisor;
  let listener: Listener;

  before(async () => {
    supervisor = createSupervisor({
      codec: textCodec(),
      onMessage: (_connection, message) => void received.push(message),
      onClose: (_connection, { reason }) => void reasons.push(reason),
    });
    listener = await listen(supervisor, { path: '/ws', onRequest: servePages({ '/': PAGE }) });
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${listener.port}/`);
    await page.waitForFunction('globalThis.client?.status.state === "up"');
  });

  after(async () => {
    await browser.close();
    await supervisor.drain({ withinMs: 500 });
    await listener.close();
  });

  it('arrives at the server as the page sent it', async () => {
    for (const text of texts) await page.evaluate(`client.send(${JSON.stringify(text)})`);
    await until(() => received.length === texts.length, 'the server has all texts');
    assert.deepEqual(received, texts);
  });

  it('arrives at the page as the server sent it', async () => {
    for (const text of texts) supervisor.broadcast(text);
    await page.waitForFunction(`received.length === ${texts.length}`);
    assert.deepEqual(await page.evaluate('received'), texts);
  });

  it('ends with the same close reason at both ends', async () => {
    for (const connection of supervisor.connections) connection.close(4000, '\ufeffenough');
    await page.waitForFunction('verdicts.length === 1 && client.status.state === "up"');
    assert.deepEqual(await page.evaluate('verdicts'), ['\ufeffenough']);
    await page.evaluate('client.close(4000, "\ufeffgone")');
    await until(() => reasons.length === 2, 'the server has both reasons');
    assert.equal(reasons[1], '\ufeffgone');
  });
});
