// Goal: the picture of an example plays inside a page, stands still for readers who prefer that, and has buttons when
// it is opened by itself. Method: Chromium shows the committed pictures as the page embeds them, and screenshots reveal
// motion.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { subjects } from '../../docs/statecharts/subjects.ts';
import { read } from '../package/repository.ts';
import { eventually } from '../support/until.ts';
import { launchBrowser } from './lobby-tab.ts';

const TIMEOUT_MS = 120_000;
const ORIGIN = 'http://pictures.test/';
const files = subjects.flatMap(({ machine, examples }) =>
  examples.map((example) => ({ file: `${machine.id}-${example.name}.svg`, example })),
);

/** The picture of an example as the page of its chart embeds it: an image, so that no script of it runs. */
function markupOf(file: string): string {
  const page = read(`docs/statecharts/${file.split('-')[0]}.md`);
  const pictures = page.match(/<picture>[\s\S]*?<\/picture>/g) ?? [];
  return pictures.find((markup) => markup.includes(file)) ?? '';
}

describe('pictures of examples', { timeout: TIMEOUT_MS }, () => {
  const [first] = files;
  let browser: Browser;

  before(async () => {
    browser = await launchBrowser();
  });

  after(async () => {
    await browser?.close();
  });

  /** Opens a page, or a picture by itself, without a network. */
  async function opened(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await browser.newPage(options);
    await page.route(`${ORIGIN}**`, async (route) => {
      const name = new URL(route.request().url()).pathname.slice(1);
      const isPage = name.endsWith('.html');
      await route.fulfill({
        contentType: isPage ? 'text/html' : 'image/svg+xml',
        body: isPage ? markupOf(name.replace('.html', '.svg')) : read(`docs/statecharts/${name}`),
      });
    });
    await page.goto(ORIGIN + path);
    return page;
  }

  it('play inside a page, and stand still for readers who prefer reduced motion', async () => {
    assert.ok(first);
    const path = first.file.replace('.svg', '.html');
    const still = await opened(path, { reducedMotion: 'reduce' });
    const playing = await opened(path, { reducedMotion: 'no-preference' });
    const atFirst = await still.screenshot();
    for (let step = 0; step < 2; step += 1) {
      const before = await playing.screenshot();
      const hasMoved = async () => !before.equals(await playing.screenshot());
      await eventually(hasMoved, 'the picture plays');
    }
    assert.ok(atFirst.equals(await still.screenshot()), 'it moves');
    assert.ok(!atFirst.equals(await playing.screenshot()), 'it shows more than one step');
    for (const page of [still, playing]) await page.close();
  });

  for (const { file, example } of files) {
    it(`have buttons and arrow keys when they are opened by themselves: ${file}`, async () => {
      const page = await opened(file);
      const told = (text: string) => page.locator('.step.is-shown .step-fact', { hasText: text });
      const [next, previous] = ['Next step', 'Previous step'].map((name) =>
        page.getByRole('button', { name }),
      );
      const steps = example.steps.length;
      await told(`0/${steps}`).waitFor();
      assert.equal(await previous?.getAttribute('aria-disabled'), 'true');
      for (const [index, { fact }] of example.steps.entries()) {
        await next?.click();
        await told(`${index + 1}/${steps}  ${fact}`).waitFor();
      }
      assert.equal(await next?.getAttribute('aria-disabled'), 'true');
      await page.keyboard.press('ArrowRight');
      await told(`${steps}/${steps}`).waitFor();
      await page.keyboard.press('ArrowLeft');
      await told(`${steps - 1}/${steps}`).waitFor();
      await previous?.press('Enter');
      await told(`${steps - 2}/${steps}`).waitFor();
      assert.equal(await page.locator('.step.is-shown').count(), 1);
      const seen = page.locator('.step:not(.is-shown) .is-active').first();
      assert.equal(await seen.isVisible(), false, 'a hidden step');
      const box = await next?.boundingBox();
      assert.ok(box && box.height >= 44 && box.width >= 44);
      await page.close();
    });
  }
});
