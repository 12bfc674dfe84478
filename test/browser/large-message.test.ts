// Goal: a browser may send the largest permitted message, in any frames and chunks that it chooses.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { binaryCodec, createSupervisor, type Listener, listen } from '../../src/index.ts';
import { until } from '../support/until.ts';
import { launchBrowser } from './lobby-tab.ts';

const BYTES = 16 * 1_048_576;

describe('a page that sends 16 MiB', { timeout: 120_000 }, () => {
  const heard: (number | string)[] = [];
  let browser: Browser;
  let listener: Listener;

  const supervisor = createSupervisor({
    codec: binaryCodec(),
    limits: { payloadBytesMax: BYTES },
    onMessage: (_connection, { length }) => void heard.push(length),
    onClose: (_connection, { cause, error }) => void heard.push(`${cause}: ${error?.message}`),
  });

  before(async () => {
    listener = await listen(supervisor, {
      path: '/ws',
      onRequest: (_request, response) => void response.end('<!doctype html><title>page</title>'),
    });
    browser = await launchBrowser();
  });

  after(async () => {
    await browser.close();
    await supervisor.drain({ withinMs: 500 });
    await listener.close();
  });

  it('delivers them as one message', async () => {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${listener.port}/`);
    await page.evaluate(`
      globalThis.socket = new WebSocket('ws://' + location.host + '/ws');
      socket.onopen = () => socket.send(new Uint8Array(${BYTES}));`);
    await until(() => heard.length > 0, 'it arrives', 60_000);
    assert.deepEqual(heard, [BYTES]);
  });
});
