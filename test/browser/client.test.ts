// Goal: in a real browser the client loads neither ws nor zod, reports each connection once, and reconnects by
// itself. Method: Chromium loads the compiled modules one by one, with an import map, from the server that it dials.
import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { createSupervisor, type Listener, listen, type Supervisor } from '../../src/index.ts';
import { until } from '../support/until.ts';
import { clientPage, servePages } from './client-page.ts';
import { launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 120_000;

const PAGE = clientPage(`
const told = { states: [], endings: [], messages: [], dropped: 0 };
const client = createClient('ws://' + location.host + '/ws', {
  backoff: { minMs: 100, maxMs: 500, stableMs: 200 },
  timeouts: { closeMs: 500 },
});
client.status$.subscribe(({ state, states }) => told.states.push(states.at(-1)));
client.endings$.subscribe((ending) =>
  told.endings.push(ending.outcome === 'closed' ? String(ending.verdict.code) : ending.failure.cause),
);
client.messages$.subscribe((message) => told.messages.push(message));
Object.assign(globalThis, { client, told });`);

interface Told {
  readonly states: string[];
  readonly endings: string[];
  readonly messages: unknown[];
}

describe('client in a browser', { timeout: TIMEOUT_MS }, () => {
  const requested: string[] = [];
  let browser: Browser;
  let page: Page;
  let supervisor: Supervisor<undefined, unknown, unknown>;
  let listener: Listener;

  const files = servePages({ '/': PAGE });
  const serve: RequestListener = (request, response) => {
    requested.push(request.url ?? '');
    files(request, response);
  };

  async function open(port: number): Promise<void> {
    supervisor = createSupervisor<undefined, unknown, unknown>({
      onMessage: (connection, message) => void connection.send({ echo: message }),
    });
    listener = await listen(supervisor, { port, path: '/ws', onRequest: serve });
  }

  async function shut(): Promise<void> {
    // Not 1012, after which a client waits for 5 to 30 seconds.
    await supervisor.drain({ withinMs: 500, code: 1001 });
    await listener.close();
  }

  const told = () => page.evaluate('told') as Promise<Told>;
  const state = () => page.evaluate('client.status.state') as Promise<string>;

  async function untilState(wanted: string): Promise<void> {
    let seen = '';
    const look = setInterval(() => void state().then((now) => (seen = now)), 20);
    await until(() => seen === wanted, `the client is ${wanted}`, 20_000);
    clearInterval(look);
  }

  before(async () => {
    await open(0);
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${listener.port}/`);
    await page.waitForFunction('globalThis.client?.status.state === "up"');
  });

  after(async () => {
    await browser.close();
    await shut();
  });

  it('loads neither ws nor zod, nor anything of a server', () => {
    const modules = new Set(
      requested.flatMap((url) => /^\/modules\/([^/]+)\//.exec(url)?.[1] ?? []),
    );
    assert.deepEqual([...modules].sort(), ['rxjs']);
    const strange = requested.filter((url) => /\/(server|testing)\//.test(url));
    assert.deepEqual(strange, []);
  });

  it('exchanges messages', async () => {
    await page.evaluate('client.send({ text: "grüß dich" })');
    await page.waitForFunction('told.messages.length === 1');
    const { messages } = await told();
    assert.deepEqual(messages, [{ echo: { text: 'grüß dich' } }]);
  });

  it('survives a restart of the server, keeps messages sent meanwhile, and reports one ending', async () => {
    const { port } = listener;
    await shut();
    await untilState('waiting');
    assert.equal(await page.evaluate('client.send({ text: "while away" })'), 'queued');
    await open(port);
    await page.waitForFunction('client.status.state === "up"', undefined, { timeout: 10_000 });
    await page.waitForFunction('told.messages.length === 2');
    const { endings, messages } = await told();
    assert.equal(endings[0], '1001');
    assert.ok(
      endings.slice(1).every((ending) => ending === 'undisclosed'),
      endings.join(),
    );
    assert.deepEqual(messages[1], { echo: { text: 'while away' } });
  });

  it('is offline with its browser, and reconnects with it', async () => {
    await page.context().setOffline(true);
    for (const connection of supervisor.connections) connection.terminate();
    await untilState('waiting');
    const { states } = await told();
    assert.equal(states.at(-1), 'waiting.offline');
    await page.context().setOffline(false);
    await page.waitForFunction('client.status.state === "up"', undefined, { timeout: 10_000 });
  });

  it('closes cleanly, and both sides report it once', async () => {
    const verdicts: number[] = [];
    supervisor.events$.subscribe((event) => {
      if (event.type === 'connection.closed') verdicts.push(event.verdict.code);
    });
    await page.evaluate('client.close(4000, "enough")');
    assert.equal(await state(), 'stopped');
    await until(() => verdicts.length === 1, 'the server has reported it');
    assert.deepEqual(verdicts, [4000]);
    const { endings } = await told();
    assert.deepEqual(endings.slice(-1), ['4000']);
  });
});
