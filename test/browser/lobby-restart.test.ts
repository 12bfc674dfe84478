// Goal: tabs of the lobby outlive its server. They reconnect by themselves, to their rooms, with the messages typed
// meanwhile, and report what happened. Method: the process really stops, gracefully or not, and starts again.
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { RawPeer } from '../support/raw-peer.ts';
import { eventually, until } from '../support/until.ts';
import { LobbyProcess } from './lobby-process.ts';
import { LobbyTab, launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 180_000;
/** How many messages may wait, as lobby-client.js has it. */
const QUEUE_MAX = 5;
/** Fewer than the lobby takes from a peer at once. */
const SAID_BY_ONE = 50;
/** More than the lobby tells newcomers. */
const FORGOTTEN = 60;
/** Early in every delay. */
const SOON = 0.02;

describe('lobby whose server restarts', { timeout: TIMEOUT_MS }, () => {
  let browser: Browser;
  let lobby: LobbyProcess;
  let url: string;
  let ada: LobbyTab;
  let ben: LobbyTab;

  const startAgain = async () => {
    lobby = new LobbyProcess('--port', new URL(url).port);
    assert.equal(await lobby.url(), url);
  };
  const open = (name: string, chance = SOON) => LobbyTab.open(browser, { url, name, chance });

  before(async () => {
    browser = await launchBrowser();
  });

  after(async () => {
    await browser.close();
  });

  beforeEach(async () => {
    lobby = new LobbyProcess('--port', '0');
    url = await lobby.url();
    ada = await open('Ada');
    ben = await open('Ben');
  });

  afterEach(async () => {
    await Promise.all([ada.close(), ben.close()]);
    await lobby[Symbol.asyncDispose]();
  });

  const ways = [
    { signal: 'SIGTERM', lost: /The server went away \(1001/, told: /The server restarted \(1001/ },
    {
      signal: 'SIGKILL',
      lost: /\(1006\)/,
      told: /ended without a close frame and was started again \(1006/,
    },
  ] as const;

  for (const { signal, lost, told } of ways) {
    it(`reconnects every tab after ${signal}, each in its rooms, and reports what happened`, async () => {
      for (const tab of [ada, ben]) await tab.join('galley');
      await ada.say('Before.');
      await ben.sees(ben.line('Before.'));

      await lobby.stop(signal);
      await ada.sees(ada.status(lost));
      await ada.say('Meanwhile.');
      await ada.sees(ada.outgoing('Meanwhile.').filter({ hasText: 'queued' }));
      await ada.sees(ada.status('1 message queued'));
      await startAgain();

      for (const tab of [ada, ben]) {
        await tab.isConnected();
        await tab.sees(tab.status(told));
        await tab.sees(tab.outage(/ at \d\d:\d\d:\d\d\. Reconnected after \d+(\.\d)?\sm?s/));
        // It is one process, so what it has kept is gone.
        await tab.sees(tab.outage('The lobby has lost its earlier messages. Those above are only'));
        await tab.sees(tab.line('Before.'));
        await tab.sees(tab.line('Meanwhile.'));
        await tab.sees(tab.row('Ada').filter({ hasText: 'harbour' }).filter({ hasText: 'galley' }));
      }
      assert.equal(await ada.page.locator('.outgoing').count(), 0);
      assert.equal(await ada.line('Meanwhile.').count(), 1);
      await ben.say('And after.');
      await ada.sees(ada.line('And after.'));
    });
  }

  it('restarts when a tab requests it, at the same address, and can be stopped afterwards', async () => {
    await ada.join('galley');
    await ben.recordLit();
    await ada.misbehave('restart');
    await Promise.all([ada, ben].map((tab) => tab.sees(tab.status('The server went away (1001'))));
    for (const tab of [ada, ben]) {
      await tab.isConnected();
      await tab.sees(tab.outage(/The server restarted \(1001/));
    }
    await ben.sees(ben.row('Ada').filter({ hasText: 'galley' }));
    assert.ok(((await ben.recordedLit()) as string[]).includes('connection.closed'));
    await ben.say('Still here.');
    await ada.page.getByRole('button', { name: /^harbour/ }).click();
    await ada.sees(ada.line('Still here.'));
    const { exitCode, output } = await lobby.stop('SIGTERM');
    assert.equal(exitCode, 0, output);
    assert.match(output, /2 closed, 0 terminated/);
  });

  it('drops the oldest of too many messages, reports it, and sends it again on request', async () => {
    await lobby.stop('SIGKILL');
    await ada.sees(ada.status('1006'));
    for (let number = 0; number <= QUEUE_MAX; number += 1) await ada.say(`Number ${number}`);
    await ada.sees(ada.status(`${QUEUE_MAX} messages queued`));
    await ada.sees(ada.toast('“Number 0” was dropped: at most 5 messages are queued.'));
    await startAgain();
    await ben.isConnected();
    for (let number = 1; number <= QUEUE_MAX; number += 1) {
      await ben.sees(ben.line(`Number ${number}`));
    }
    assert.equal(await ben.line('Number 0').count(), 0);
    await ada.sees(ada.outgoing('Number 0').filter({ hasText: 'dropped' }));
    await ada.page.getByRole('button', { name: 'Send again' }).click();
    await ben.sees(ben.line('Number 0'));
  });

  it('sends a message again that left too late to arrive', async () => {
    lobby.signal('SIGSTOP');
    await ada.say('Anybody?');
    await ada.sees(ada.page.locator('.outgoing[data-delivery="sent"]'));
    await lobby.stop('SIGKILL');
    await ada.sees(ada.outgoing('Anybody?').filter({ hasText: 'it is sent again' }));
    await startAgain();
    await ben.sees(ben.line('Anybody?'));
    await ada.sees(ada.line('Anybody?').filter({ hasText: 'you' }));
    assert.equal(await ada.outgoing('Anybody?').count(), 0);
  });

  it('dials at once on request, also under another name, and sends the waiting messages', async () => {
    const cyd = await LobbyTab.open(browser, { url, name: 'Cyd', ownTime: true });
    const dan = await LobbyTab.open(browser, { url, name: 'Dan', ownTime: true });
    await lobby.stop('SIGTERM');
    for (const tab of [cyd, dan]) {
      await tab.sees(tab.status('Next attempt in'));
      // No attempt begins by itself from now on.
      await tab.holdTime();
      await tab.sees(tab.status('Next attempt in'));
      await tab.say(`${await tab.page.getByLabel('Your name').inputValue()} was here.`);
    }
    await startAgain();
    await ben.isConnected();
    await cyd.page.getByRole('button', { name: 'Connect now' }).click();
    await dan.page.getByLabel('Your name').fill('Daniel');
    await dan.page.getByRole('button', { name: 'Change name' }).click();
    for (const tab of [cyd, dan]) {
      await tab.sees(tab.page.locator('#own-state[data-state="up"]'));
    }
    await Promise.all([cyd.page.clock.resume(), dan.page.clock.resume()]);
    await ben.sees(ben.line('Cyd was here.'));
    await ben.sees(ben.line('Dan was here.').filter({ hasText: 'Daniel' }));
    await cyd.sees(cyd.status('The server restarted (1001'));
    await Promise.all([cyd.close(), dan.close()]);
  });

  it('detects a server that has fallen silent, reports it, and reconnects when it continues', async () => {
    await ada.say('A test.');
    await ben.sees(ben.line('A test.'));
    lobby.signal('SIGSTOP');
    await ada.say('Hello?');
    await ada.sees(ada.status('The server stopped answering (heartbeat-timeout)'));
    await ada.say('Are you there?');
    await ada.sees(ada.outgoing('Are you there?').filter({ hasText: 'queued' }));
    lobby.signal('SIGCONT');
    for (const tab of [ada, ben]) {
      await tab.isConnected();
      await tab.sees(tab.outage(/stopped answering \(heartbeat-timeout\) at .* Reconnected after/));
      await tab.sees(tab.line('Are you there?'));
      // Ada sends the second one twice, because she cannot know whether it has arrived.
      assert.deepEqual(await tab.messages(), ['A test.', 'Hello?', 'Are you there?']);
    }
    await ada.sees(ada.outage('You missed no messages.'));
  });

  it('reports that it was away for longer than messages are kept, and shows the latest', async () => {
    await ada.say('Before.');
    await ada.sees(ada.line('Before.'));
    await ada.misbehave('leave');
    await ada.sees(ada.status('You closed the connection'));
    await chatter(Number(new URL(url).port), 1_001);
    await ada.page.getByRole('button', { name: 'Reconnect' }).click();
    await ada.sees(ada.outage('You were away for longer than the lobby keeps messages.'));
    await ada.sees(ada.line('Number 1001'));
    const messages = await ada.messages();
    assert.equal(messages[0], 'Before.');
    assert.ok(!messages.includes('Number 1'));
  });

  it('gets everything that was said after it has closed its connection itself', async () => {
    await ada.misbehave('leave');
    await ada.sees(ada.status('You closed the connection'));
    await chatter(Number(new URL(url).port), FORGOTTEN);
    await ada.page.getByRole('button', { name: 'Reconnect' }).click();
    await eventually(async () => (await ada.shown()).length >= FORGOTTEN, 'all lines are there');
    const numbers = Array.from({ length: FORGOTTEN }, (_, index) => `Number ${index + 1}`);
    assert.deepEqual((await ada.shown()).sort(), numbers.sort());
  });

  it('says that messages are missing when it has left a room for too long', async () => {
    await ada.say('Before.');
    await ada.sees(ada.line('Before.'));
    await ada.page.getByRole('button', { name: 'Leave' }).click();
    await chatter(Number(new URL(url).port), FORGOTTEN);
    await ada.page.getByRole('button', { name: 'Join', exact: true }).click();
    await ada.sees(ada.line(`Number ${FORGOTTEN}`));
    const shown = await ada.shown();
    assert.equal(shown[0], 'Before.');
    assert.match(shown[1] ?? '', /^You were away for longer than the lobby keeps messages/);
    assert.ok(!shown.includes('Number 1'));
  });

  it('takes another name without losing anything, and reports no outage', async () => {
    await ada.join('galley');
    await ada.recordLit();
    await ada.page.getByLabel('Your name').fill('Adele');
    await ada.page.getByRole('button', { name: 'Change name' }).click();
    await ben.sees(ben.ending('Ada', 'peer-close').filter({ hasText: 'name changed' }));
    await ben.sees(ben.row('Adele').filter({ hasText: 'galley' }));
    await ada.isConnected();
    await ada.sees(ada.status('Connected since'));
    assert.equal(await ada.page.locator('.outage').count(), 0);
    await ada.page.getByLabel('Your name').press('Enter');
    await ada.say('It is me.');
    await ada.sees(ada.line('It is me.').filter({ hasText: 'Adele' }));
    // It dials at once, so there is no moment in which it is closed and waits.
    const lit = ['open', 'closing', 'handshaking', 'open'].map((name) => `connection.${name}`);
    assert.deepEqual(await ada.recordedLit(), lit);
  });

  it('waits for the network of an offline device, reports that, and never disturbs typing', async () => {
    await ada.page.getByLabel('Message').focus();
    await ada.page.keyboard.type('Half a sentence');
    await ada.page.context().setOffline(true);
    await lobby.stop('SIGKILL');
    await ada.sees(ada.page.locator('#own-state', { hasText: 'offline' }));
    await ada.page.keyboard.type(', and the rest.');
    await ada.sees(ada.status('This device is offline.'));
    await startAgain();
    await ben.isConnected();
    assert.equal(await ada.page.locator('#own-state').textContent(), 'offline');
    await ada.page.context().setOffline(false);
    await ada.isConnected();
    await ada.sees(ada.outage('1006'));
    await ada.page.keyboard.press('Enter');
    await ben.sees(ben.line('Half a sentence, and the rest.'));
  });
});

/** Lets many peers say numbers in the harbour, as fast as a peer may, and waits until the last is kept. */
async function chatter(port: number, count: number): Promise<void> {
  const peers: RawPeer[] = [];
  for (let number = 1; number <= count; number += 1) {
    if (number % SAID_BY_ONE === 1) {
      const peer = await RawPeer.open(port, { path: `/ws?name=Peer${number}` });
      peer.json({ type: 'join', room: 'harbour' });
      peers.push(peer);
    }
    peers.at(-1)?.json({ type: 'say', room: 'harbour', text: `Number ${number}` });
  }
  const last = `"Number ${count}"`;
  await until(() => peers.at(-1)?.texts.some((text) => text.includes(last)) === true, last);
  for (const peer of peers) peer.destroy();
}

describe('modules of the lobby', { timeout: TIMEOUT_MS }, () => {
  let lobby: LobbyProcess;
  let url: string;

  before(async () => {
    lobby = new LobbyProcess('--port', '0');
    url = await lobby.url();
  });

  after(async () => {
    await lobby[Symbol.asyncDispose]();
  });

  /** As a path of the file system: `fetch` would remove the dots. */
  const status = (path: string) =>
    new Promise((resolve, reject) => {
      get(url, { path }, (response) => resolve(response.resume().statusCode)).on('error', reject);
    });

  it('are those of the client and nothing else', async () => {
    await using browser = await launchBrowser();
    const page = await browser.newPage();
    const modules: string[] = [];
    page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      assert.equal(response.ok(), true, pathname);
      if (pathname.startsWith('/modules/')) modules.push(pathname);
    });
    await page.goto(url);
    await page.locator('#own-state[data-state="up"]').waitFor();
    const packages = new Set(modules.map((path) => path.split('/')[3]));
    assert.deepEqual([...packages].sort(), ['mooring', 'rxjs']);
    assert.deepEqual(
      modules.filter((path) => /\/(server|testing|observe)\/|\/ws|operators/.test(path)),
      [],
    );
    assert.ok(modules.length < 110, `${modules.length} modules`);
  });

  it('have a type, an address that changes with their content, and unlimited caching', async () => {
    const imports = /<script type="importmap">(.*?)<\/script>/.exec(
      await (await fetch(url)).text(),
    );
    const map = JSON.parse(imports?.[1] ?? '{}').imports;
    assert.deepEqual(Object.keys(map), ['mooring/client', 'rxjs/internal/Observable']);
    for (const path of Object.values<string>(map)) {
      assert.match(path, /^\/modules\/[\da-f]{12}\//);
      const { headers } = await fetch(new URL(path, url));
      assert.equal(headers.get('content-type'), 'text/javascript; charset=utf-8');
      assert.match(headers.get('cache-control') ?? '', /immutable/);
    }
    assert.equal((await fetch(url)).headers.get('cache-control'), 'no-cache');
    const base = map['rxjs/internal/Observable'].replace(/rxjs\/.*/, '');
    const others = [
      'xstate/',
      'rxjs/../ws/index.js',
      'rxjs/internal/ajax/ajax',
      'tslib/tslib.es6.mjs',
    ];
    for (const other of [...others, '../../package.json', 'mooring/src/index.js']) {
      assert.equal(await status(base + other), 404, other);
    }
  });
});
