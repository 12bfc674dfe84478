// Goal: other tabs see that a tab frozen by its browser is asleep, and that it is awake when it thaws. Method: Chromium
// really freezes one in the background, and another browser, which Playwright keeps awake, shows the table.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { Chromium } from '../support/chromium.ts';
import { LobbyProcess } from './lobby-process.ts';
import { LobbyTab, launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 180_000;
const isConnected = `document.querySelector('#own-state').dataset.state === 'up'
  && document.querySelector('.connection[data-own][data-state="open"]') !== null`;
const HARBOUR = 'document.querySelector("#line-list").textContent';

describe('lobby with a frozen tab', { timeout: TIMEOUT_MS }, () => {
  let lobby: LobbyProcess;
  let url: string;
  let browser: Browser;
  let chromium: Chromium;

  before(async () => {
    lobby = new LobbyProcess('--port', '0');
    url = await lobby.url();
    browser = await launchBrowser();
    chromium = await Chromium.start();
  });

  after(async () => {
    await chromium?.stop();
    await browser?.close();
    await lobby[Symbol.asyncDispose]();
  });

  it('marks it as asleep, and as awake when it thaws', async () => {
    const ada = await LobbyTab.open(browser, { url, name: 'Ada' });
    const blank = await chromium.open('about:blank');
    const fay = await chromium.open(`${url}?name=Fay`);
    await fay.until(isConnected);
    await ada.sees(ada.row('Fay'));
    assert.equal(await ada.row('Fay').locator('[data-mark]').count(), 0);

    await blank.activate();
    await fay.until('document.visibilityState === "hidden"');
    await fay.freeze();
    await ada.sees(ada.row('Fay').locator('[data-mark="asleep"]'));
    await ada.sees(ada.counted('open.liveness.asleep').filter({ hasText: /^1$/ }));

    await fay.activate();
    await fay.thaw();
    // Chromium closes the connection of a page when it thaws.
    await ada.sees(ada.ending('Fay', 'peer-close').filter({ hasText: 'code 1001' }));
    await fay.until(`${isConnected} && ${HARBOUR}.includes('Reconnected after')`);
    await ada.sees(ada.row('Fay').and(ada.page.locator('[data-state="open"]')));
    assert.deepEqual(ada.complaints, []);
  });
});
