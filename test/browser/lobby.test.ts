import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { RawPeer } from '../support/raw-peer.ts';
import { LobbyProcess } from './lobby-process.ts';
import { LobbyTab, launchBrowser } from './lobby-tab.ts';

const SCREENSHOTS = join(import.meta.dirname, '../../screenshots');
const MARKUP = '<img src=x onerror=alert(1)>';
const TIMEOUT_MS = 180_000;

/** What each kind of guest causes, and the facts that its ending must show. */
const guests = [
  { kind: 'polite', who: 'Polite Puffin', cause: 'peer-close', facts: ['code 1000', 'bye'] },
  { kind: 'vanish', who: 'Vanishing Vaquita', cause: 'tcp-reset', facts: ['code 1006'] },
  { kind: 'flood', who: 'Flooding Flounder', cause: 'message-rate', facts: ['code 1008'] },
  { kind: 'garbage', who: 'Garbling Gull', cause: 'protocol-error', facts: ['server sent 1002'] },
  { kind: 'wait', who: 'Waiting Walrus', cause: 'peer-close', facts: ['clean yes'] },
  { kind: 'refused', who: 'A client', cause: 'refused', facts: ['never opened', 'HTTP 400'] },
  { kind: 'doze', who: 'Dozing Dugong', cause: 'peer-close', facts: ['code 1000', 'rested'] },
  { kind: 'freeze', who: 'Frozen Fulmar', cause: 'heartbeat-timeout', facts: ['origin network'] },
  { kind: 'stall', who: 'Stalled Sturgeon', cause: 'slow-consumer', facts: ['clean no'] },
] as const;

/** The states of a connection in its chart when all is well. */
const wellStates = [
  'open',
  'open.intake',
  'open.intake.receiving',
  'open.liveness',
  'open.liveness.healthy',
  'open.flow',
  'open.flow.flowing',
];

/** What a tab does to itself, and what it is notified of. */
const ownMischief = [
  { kind: 'flood', cause: 'message-rate', code: 1008, isFinal: true },
  { kind: 'oversize', cause: 'protocol-error', code: 1009, isFinal: true },
  { kind: 'throw', cause: 'handler-error', code: 1011, isFinal: false },
] as const;

describe('lobby', { timeout: TIMEOUT_MS }, () => {
  let lobby: LobbyProcess;
  let url: string;
  let browser: Browser;
  let ada: LobbyTab;
  let ben: LobbyTab;

  before(async () => {
    lobby = new LobbyProcess('--port', '0');
    url = await lobby.url();
    browser = await launchBrowser();
    const viewport = { width: 1280, height: 900 };
    ada = await LobbyTab.open(browser, { url, name: 'Ada' }, { viewport, colorScheme: 'light' });
    ben = await LobbyTab.open(browser, { url, name: 'Ben' }, { viewport, colorScheme: 'dark' });
    await mkdir(SCREENSHOTS, { recursive: true });
  });

  after(async () => {
    await browser?.close();
    await lobby[Symbol.asyncDispose]();
  });

  it('listens on a free port and prints it', () => {
    assert.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*\/$/);
  });

  it('shows every connection to every tab', async () => {
    for (const tab of [ada, ben]) {
      await tab.sees(tab.row('Ada'));
      await tab.sees(tab.row('Ben'));
    }
  });

  it('lights the states of its own connection on the chart, and no others', async () => {
    for (const tab of [ada, ben]) {
      for (const path of wellStates) await tab.sees(tab.lit(path));
      assert.equal(await tab.page.locator('#chart .is-active').count(), wellStates.length);
      await tab.sees(tab.page.locator('#own-states', { hasText: 'open.intake.receiving' }));
    }
  });

  it('counts the whole fleet on the chart', async () => {
    await ada.sees(ada.counted('open.intake.receiving').filter({ hasText: /^2$/ }));
    await ada.sees(ada.counted('open').filter({ hasText: /^2$/ }));
    assert.equal(await ada.counted('open.liveness.suspect').count(), 0);
  });

  it('delivers the messages of one tab to the other', async () => {
    await ada.say('Is anybody moored here?');
    await ben.sees(ben.line('Is anybody moored here?'));
    await ben.say('Right beside you.');
    await ada.sees(ada.line('Right beside you.'));
  });

  it('keeps rooms apart', async () => {
    await ben.join('galley');
    await ben.say('Only the galley hears this.');
    await ben.sees(ben.line('Only the galley hears this.'));
    await ben.sees(ben.row('Ben').filter({ hasText: 'galley' }));
    await ada.say('And this is the harbour.');
    await ada.sees(ada.line('And this is the harbour.'));
    assert.equal(await ada.line('Only the galley hears this.').count(), 0);
    await ben.page.getByRole('button', { name: /^harbour/ }).click();
    await ben.sees(ben.line('And this is the harbour.'));
  });

  it('never lets a tab post in a room that it has not joined', async () => {
    const mallory = await RawPeer.open(Number(new URL(url).port), { path: '/ws?name=Mallory' });
    mallory.json({ type: 'say', room: 'harbour', text: 'You cannot see me.' });
    mallory.json({ type: 'join', room: 'harbour' });
    mallory.json({ type: 'say', room: 'harbour', text: 'Now you can.' });
    await ada.sees(ada.line('Now you can.'));
    assert.equal(await ada.line('You cannot see me.').count(), 0);
    assert.ok(
      mallory.texts.some((text) => text.includes('Join harbour before you send a message to it.')),
    );
    mallory.destroy();
  });

  it('shows markup in a name and in a message as plain text', async () => {
    const eve = await LobbyTab.open(browser, { url, name: MARKUP }, { colorScheme: 'light' });
    await eve.say('<b onclick="alert(2)">bold</b>');
    for (const tab of [ada, ben, eve]) {
      await tab.sees(tab.row(MARKUP));
      await tab.sees(tab.line('<b onclick="alert(2)">bold</b>'));
      assert.equal(
        await tab.page.locator('#connection-rows img, #line-list img, #line-list b').count(),
        0,
      );
      assert.deepEqual(tab.dialogs, []);
    }
    await eve.page.context().close();
    await ada.sees(ada.ending(MARKUP, 'peer-close').filter({ hasText: 'code 1001' }));
  });

  it('refuses an invalid name with a reason that the page can show', async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${url}?name=%3F%3F%3F`);
    await page.locator('#chart .is-active[id="connection.failed"]').waitFor();
    const refusal = page.locator('#status', { hasText: 'at least one letter or digit' });
    await refusal.waitFor();
    await page.getByLabel('Your name').fill('Cyd');
    await page.getByRole('button', { name: 'Change name' }).click();
    await ada.sees(ada.row('Cyd'));
    await page.context().close();
    await ada.sees(ada.ending('A client', 'refused'));
  });

  describe('with guests that misbehave', () => {
    it('marks connections while they are welcomed, congested, suspect or asleep', async () => {
      // None of these states lasts long, so all observers are there before the first guest arrives.
      const marks = Promise.all([
        ben.sees(ben.row('Waiting Walrus').locator('[data-mark="welcoming"]')),
        ben.sees(ben.row('Frozen Fulmar').locator('[data-mark="suspect"]')),
        ben.sees(ben.row('Stalled Sturgeon').locator('[data-mark="congested"]')),
        ben.sees(ben.row('Dozing Dugong').locator('[data-mark="asleep"]')),
        ben.sees(ben.counted('open.intake.welcoming')),
        ben.sees(ben.counted('open.liveness.suspect')),
        ben.sees(ben.counted('open.liveness.asleep')),
        ben.sees(ben.counted('open.flow.congested')),
        ben.sees(ben.counted('closing.local')),
      ]);
      for (const { kind } of guests) await ada.invite(kind);
      await ada.say('Busy today.');
      await ben.say('The gull has a point, though.');
      await marks;
      await takePictures(ada, ben);
      await takeNarrowPicture(browser, url);
    });

    for (const { kind, who, cause, facts } of guests) {
      it(`reports ${cause} for the guest “${kind}”`, async () => {
        for (const tab of [ada, ben]) {
          const ending = tab.ending(who, cause);
          await tab.sees(ending);
          for (const fact of facts) await tab.sees(ending.filter({ hasText: fact }));
        }
      });
    }

    it('counts closed and failed connections on the chart', async () => {
      for (const state of ['closed', 'failed']) {
        const told = await ada.page.locator(`#counts [data-state="${state}"] dd`).textContent();
        assert.ok(Number(told) > 0);
        await ada.sees(ada.counted(state).filter({ hasText: told ?? '' }));
      }
    });

    it('removes old rows', async () => {
      await ada.row('Frozen Fulmar').waitFor({ state: 'detached' });
      await ada.row('Stalled Sturgeon').waitFor({ state: 'detached' });
    });
  });

  describe('with a tab that misbehaves', () => {
    for (const { kind, cause, code, isFinal } of ownMischief) {
      const back = isFinal ? 'stays away until it is asked back' : 'comes back by itself';
      it(`gets ${code} ${cause} for “${kind}”, and ${back}`, async () => {
        const id = await ben.id();
        await ben.recordLit();
        await ben.misbehave(kind);
        await ben.sees(ben.status(String(code)));
        await ada.sees(ada.ending(id, cause).filter({ hasText: `server sent ${code}` }));
        if (isFinal) {
          await ben.sees(ben.status('does not reconnect by itself'));
          await ben.page.getByRole('button', { name: 'Reconnect' }).click();
        }
        await ben.isConnected();
        assert.notEqual(await ben.id(), id);
        await ben.sees(ben.ending(id, cause));
        for (const path of wellStates) await ben.sees(ben.lit(path));
        const lit = ['open', 'closed', 'handshaking', 'open'].map((name) => `connection.${name}`);
        assert.deepEqual(await ben.recordedLit(), lit);
      });
    }

    it('learns which part of its message is wrong, and stays connected', async () => {
      const id = await ben.id();
      await ben.misbehave('json');
      await ben.sees(ben.toast('malformed JSON'));
      await ben.misbehave('contract');
      await ben.sees(ben.toast('“room” is invalid'));
      await ada.sees(ada.row('Ben').filter({ hasText: '2 invalid' }));
      assert.equal(await ben.id(), id);
    });

    it('lets it leave politely, and return when it wants to', async () => {
      const id = await ben.id();
      await ben.misbehave('leave');
      await ada.sees(ada.ending(id, 'peer-close').filter({ hasText: 'bye' }));
      await ben.sees(ben.lit('closed'));
      assert.equal(await ben.page.locator('#chart [data-count]').count(), 0);
      await ben.page.getByRole('button', { name: 'Reconnect' }).click();
      await ben.isConnected();
      await ben.say('I am back.');
      await ada.sees(ada.line('I am back.'));
    });
  });

  it('serves its page and nothing else, under a strict policy', async () => {
    const page = await fetch(url);
    assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'self'; /);
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
    const chart = await fetch(`${url}connection.svg`);
    assert.equal(chart.headers.get('content-type'), 'image/svg+xml; charset=utf-8');
    assert.equal((await fetch(`${url}supervisor.svg`)).status, 404);
    assert.equal((await fetch(`${url}server.ts`)).status, 404);
    assert.equal((await fetch(`${url}..%2fserver.ts`)).status, 404);
    assert.equal((await fetch(url, { method: 'POST' })).status, 405);
    for (const tab of [ada, ben]) assert.deepEqual(tab.complaints, []);
  });

  it('closes every tab with 1001 on SIGTERM, and exits with 0', async () => {
    const stopped = lobby.stop('SIGTERM');
    await Promise.all([ada.sees(ada.status('1001')), ben.sees(ben.status('1001'))]);
    const { exitCode, output } = await stopped;
    assert.equal(exitCode, 0, output);
    assert.match(output, /2 closed, 0 terminated/);
  });
});

async function takePictures(light: LobbyTab, dark: LobbyTab): Promise<void> {
  for (const { page } of [light, dark]) await page.evaluate('scrollTo(0, 0)');
  await Promise.all([
    light.page.screenshot({ path: join(SCREENSHOTS, 'lobby-light.png') }),
    dark.page.screenshot({ path: join(SCREENSHOTS, 'lobby-dark.png') }),
  ]);
}

async function takeNarrowPicture(browser: Browser, url: string): Promise<void> {
  const viewport = { width: 420, height: 900 };
  const cyd = await LobbyTab.open(browser, { url, name: 'Cyd' }, { viewport });
  const path = join(SCREENSHOTS, 'lobby-narrow.png');
  await cyd.page.screenshot({ path, fullPage: true });
  const overflow = await cyd.page.evaluate('document.documentElement.scrollWidth - innerWidth');
  assert.ok(Number(overflow) <= 0, 'the page is wider than the window');
  await cyd.page.context().close();
}
