// Goal: a real browser makes and answers requests and receipts, also after its connection broke. Method: a page with the client,
// and a real supervisor that serves it.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { attach, type Connection, createSupervisor, RequestRefusal } from '../../src/index.ts';
import { until } from '../support/until.ts';
import { clientPage, servePages } from './client-page.ts';
import { launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 120_000;

const page = clientPage(`
const client = createClient('ws://' + location.host + '/ws', {
  mooring: true,
  backoff: { minMs: 20, maxMs: 100 },
  onRequest: async (connection, request, { id }) => ({ page: request, id: typeof id }),
});
Object.assign(globalThis, { client });`);

describe('requests in a browser', { timeout: TIMEOUT_MS }, () => {
  let browser: Browser;
  let server: Server;
  let tab: Page;
  const opened: Connection[] = [];
  const messages: unknown[] = [];
  const ids: string[] = [];
  const supervisor = createSupervisor({
    onOpen: (connection) => void opened.push(connection as Connection),
    onMessage: (_, message) => void messages.push(message),
    onRequest(connection, request, { id }) {
      if (request === 'refuse') throw new RequestRefusal('no', 'not today');
      if (request === 'break') {
        ids.push(id);
        if (ids.length === 1) connection.terminate();
      }
      return { server: request };
    },
  });

  before(async () => {
    server = createServer(servePages({ '/': page }));
    attach(server, supervisor, { path: '/ws' });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await launchBrowser();
    tab = await browser.newPage();
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await tab.waitForFunction('globalThis.client !== undefined');
  });
  after(async () => {
    await browser.close();
    await supervisor.drain({ withinMs: 1_000 });
    server.close();
  });

  it('are answered, refused and made in both directions', async () => {
    assert.deepEqual(await tab.evaluate(`client.request({ seat: '14C' })`), {
      server: { seat: '14C' },
    });
    const refused = `client.request('refuse').catch(({ code, refusal }) => ({ code, refusal }))`;
    assert.deepEqual(await tab.evaluate(refused), {
      code: 'request-refused',
      refusal: { code: 'no', text: 'not today' },
    });
    assert.deepEqual(await opened[0]?.request('hello'), { page: 'hello', id: 'string' });
    assert.equal(await opened[0]?.send('for the page', { receipt: true }), 'received');
    assert.equal(await tab.evaluate(`client.send('noted', { receipt: true })`), 'received');
    assert.deepEqual(messages, ['noted']);
  });

  it('are made again under the same id when the connection breaks', async () => {
    assert.deepEqual(await tab.evaluate(`client.request('break')`), { server: 'break' });
    await until(() => opened.length === 2, 'the page has connected again');
    assert.equal(ids.length, 2);
    assert.equal(ids[0], ids[1]);
  });

  it('end when their signal aborts', async () => {
    const aborted = `(async () => {
      const controller = new AbortController();
      const asked = client.request('x', { signal: controller.signal });
      controller.abort(new Error('enough'));
      return asked.catch(({ message }) => message);
    })()`;
    assert.equal(await tab.evaluate(aborted), 'enough');
  });
});
