import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { watchPageLifecycle } from '../../src/client/create-browser-client.ts';

/** The part of a window and its document that a client looks at. */
class FakePage extends EventTarget {
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  readonly navigator = { onLine: true };
}

function watch(page: FakePage): { log: string[]; stop: () => void } {
  const log: string[] = [];
  const observer = {
    offline: () => void log.push('lost'),
    online: () => void log.push('returned'),
    woke: () => void log.push('woke'),
  };
  return { log, stop: watchPageLifecycle(observer, page) };
}

describe('the signs of a page', () => {
  it('report changes of the network', () => {
    const page = new FakePage();
    const { log } = watch(page);
    page.dispatchEvent(new Event('offline'));
    page.dispatchEvent(new Event('online'));
    assert.deepEqual(log, ['lost', 'returned']);
  });

  it('report at once when there is no network to begin with', () => {
    const page = new FakePage();
    page.navigator.onLine = false;
    assert.deepEqual(watch(page).log, ['lost']);
  });

  it('report that the page is back: shown, thawed, or restored from the cache', () => {
    const page = new FakePage();
    const { log } = watch(page);
    page.document.dispatchEvent(new Event('visibilitychange'));
    page.document.dispatchEvent(new Event('resume'));
    page.dispatchEvent(new Event('pageshow'));
    assert.deepEqual(log, ['woke', 'woke', 'woke']);
  });

  it('report nothing when the page is hidden', () => {
    const page = new FakePage();
    const { log } = watch(page);
    page.document.visibilityState = 'hidden';
    page.document.dispatchEvent(new Event('visibilitychange'));
    assert.deepEqual(log, []);
  });

  it('report nothing once they are no longer watched', () => {
    const page = new FakePage();
    const { log, stop } = watch(page);
    stop();
    for (const type of ['offline', 'online', 'pageshow']) page.dispatchEvent(new Event(type));
    for (const type of ['visibilitychange', 'resume']) page.document.dispatchEvent(new Event(type));
    assert.deepEqual(log, []);
  });

  it('are absent where there is no page', () => {
    const nowhere = {};
    const silent = { offline: () => {}, online: () => {}, woke: () => {} };
    assert.doesNotThrow(watchPageLifecycle(silent, nowhere));
  });
});
