// Goal: a tab that reloads gets what it missed in a durable topic, once and in order. Method: a page that keeps its positions in
// sessionStorage, as the guide shows, in a real browser.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { attach, createSupervisor } from '../../src/index.ts';
import { until } from '../support/until.ts';
import { clientPage, servePages } from './client-page.ts';
import { launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 120_000;
const ROOM = 'room/1';

const page = clientPage(`
const saved = sessionStorage.getItem('positions');
const client = createClient('ws://' + location.host + '/ws', {
  mooring: true,
  positions: saved === null ? undefined : JSON.parse(saved),
});
const log = [];
client.recoveries$.subscribe(({ cause }) => log.push(cause));
client.messages$.subscribe((message) => log.push(message));
addEventListener('pagehide', () => {
  sessionStorage.setItem('positions', JSON.stringify(client.positions));
});
Object.assign(globalThis, { log });`);

describe('durable topics in a browser', { timeout: TIMEOUT_MS }, () => {
  let browser: Browser;
  let server: Server;
  let tab: Page;
  const supervisor = createSupervisor({
    durable: () => true,
    onOpen: (connection) => void connection.join(ROOM),
  });
  const append = async (...numbers: readonly number[]) => {
    for (const number of numbers) await supervisor.topic(ROOM).append(number);
  };
  const logged = (...expected: readonly unknown[]) =>
    tab
      .waitForFunction(`globalThis.log?.length >= ${expected.length}`)
      .then(async () => assert.deepEqual(await tab.evaluate('log'), expected));

  before(async () => {
    server = createServer(servePages({ '/': page, '/elsewhere': '<p>elsewhere</p>' }));
    attach(server, supervisor, { path: '/ws' });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await launchBrowser();
    tab = await browser.newPage();
  });
  after(async () => {
    await browser.close();
    await supervisor.drain({ withinMs: 1_000 });
    server.close();
  });

  it('resume after a reload, and after the tab was elsewhere', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await tab.goto(url);
    await logged('first');
    await append(1, 2);
    await logged('first', 1, 2);
    await tab.reload();
    await logged('resumed');
    await tab.goto(`${url}/elsewhere`);
    await until(() => supervisor.counts.open === 0, 'the tab has left');
    await append(3, 4, 5);
    await tab.goto(url);
    await append(6);
    await logged('resumed', 3, 4, 5, 6);
  });
});
