// Goal: the lobby works with a finger on a small screen, and its chart shows the relevant part without scrolling.
// Method: Chromium emulates phones of several widths, and the test measures the page as a person sees and touches it.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Locator } from 'playwright-core';
import { connectionExamples } from '../../docs/statecharts/examples.ts';
import { LobbyProcess } from './lobby-process.ts';
import { LobbyTab, launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 180_000;
const WIDTHS = [320, 390, 768];
const FINGER_PX = 44;

/** Everything that a finger may touch, and that is too small for it. */
const TOO_SMALL = `[...document.querySelectorAll('a, button, input, select, summary')]
  .map((node) => [node, node.getBoundingClientRect()])
  .filter(([, { width, height }]) => width > 0 && (width < ${FINGER_PX} || height < ${FINGER_PX}))
  .map(([node, { width, height }]) => (node.id || node.textContent) + ': ' + width + ' × ' + height)`;
/** Words that overflow their container. */
const CUT_OFF = `[...document.querySelectorAll('#counts dt, .tile span, .card-head *, .stepper *, .legend *')]
  .filter((node) => node.getBoundingClientRect().right > node.parentElement.getBoundingClientRect().right + 1
    || node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).display !== 'inline')
  .map((node) => node.textContent)`;
const SCROLLED = `document.querySelector('#chart').scrollLeft`;

/** Whether something is within the visible part of the scrolled chart, horizontally. */
async function isInSight(tab: LobbyTab, wanted: Locator): Promise<boolean> {
  const [frame, box] = await Promise.all([
    tab.page.locator('#chart').boundingBox(),
    wanted.locator('.box').boundingBox(),
  ]);
  assert.ok(frame && box);
  return box.x >= frame.x && box.x + box.width <= frame.x + frame.width;
}

describe('lobby on a phone', { timeout: TIMEOUT_MS }, () => {
  let lobby: LobbyProcess;
  let url: string;
  let browser: Browser;

  before(async () => {
    lobby = new LobbyProcess('--port', '0');
    url = await lobby.url();
    browser = await launchBrowser();
  });

  after(async () => {
    await browser?.close();
    await lobby[Symbol.asyncDispose]();
  });

  const phone = (width: number) =>
    LobbyTab.open(
      browser,
      { url, name: `Phone ${width}` },
      { viewport: { width, height: 700 }, isMobile: true, hasTouch: true },
    );

  for (const width of WIDTHS) {
    it(`leaves room for a finger everywhere, and is no wider than the screen: ${width} px`, async () => {
      const tab = await phone(width);
      await tab.invite('stall');
      await tab.invite('polite');
      await tab.sees(tab.row('Polite Puffin'));
      await tab.misbehave('json');
      await tab.sees(tab.toast('malformed JSON'));
      await tab.page.locator('#example').selectOption({ index: 1 });
      // As wide as the window is drawn: a page that overflows is zoomed out.
      const wide = await tab.page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
      assert.deepEqual(wide, [width, width]);
      assert.deepEqual(await tab.page.evaluate(TOO_SMALL), []);
      assert.deepEqual(await tab.page.evaluate(CUT_OFF), []);
      await tab.close();
    });
  }

  it('opens the chart at the state of this tab, and stays where it is scrolled to', async () => {
    const tab = await phone(320);
    await tab.sees(tab.lit('open.intake.receiving'));
    assert.ok(Number(await tab.page.evaluate(SCROLLED)) > 0);
    assert.ok(await isInSight(tab, tab.lit('open.intake.receiving')));
    await tab.page.locator('#chart').dispatchEvent('pointerdown');
    await tab.page.evaluate(`${SCROLLED} = 0`);
    await tab.misbehave('throw');
    await tab.sees(tab.outage('Reconnected after'));
    await tab.sees(tab.lit('open.intake.receiving'));
    assert.equal(await tab.page.evaluate(SCROLLED), 0);
    await tab.close();
  });

  it('steps through examples on the chart with each step in view, and returns to the live state', async () => {
    const tab = await phone(390);
    const { page } = tab;
    const [next, back] = ['Next step', 'Previous step'].map((name) =>
      page.getByRole('button', { name }),
    );
    assert.equal(await next?.isVisible(), false);
    for (const { title, steps } of connectionExamples) {
      await page.getByLabel('Show').selectOption(title);
      await tab.sees(tab.lit('handshaking.admitting'));
      assert.equal(await back?.isDisabled(), true);
      assert.equal(await page.locator('#chart [data-count]').count(), 0);
      for (const [index, { fact, text }] of steps.entries()) {
        await next?.click();
        const told = `Step ${index + 1} of ${steps.length}: ${fact} ${text.replaceAll('`', '')}`;
        await tab.sees(page.locator('.stepper-text', { hasText: told }));
        assert.equal(await page.locator('#chart .is-taken').count(), 1);
        const lit = await page.locator('#chart .leaf.is-active').all();
        const seen = await Promise.all(lit.map((leaf) => isInSight(tab, leaf)));
        assert.ok(seen.includes(true), told);
      }
      assert.equal(await next?.isDisabled(), true);
      await back?.click();
      await tab.sees(page.locator('#chart .is-active').first());
      assert.equal(await tab.lit('closed').count(), 0);
    }
    await page.getByLabel('Show').selectOption('live connections');
    await tab.sees(tab.lit('open.intake.receiving'));
    assert.equal(await page.locator('#chart .is-taken').count(), 0);
    assert.equal(await page.locator('.stepper-text').isVisible(), false);
    await tab.sees(tab.counted('open'));
    assert.deepEqual(tab.complaints, []);
    await tab.close();
  });
});
