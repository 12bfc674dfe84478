// Goal: the recipe for Next serves its pages, its own WebSocket and Mooring's on one port. Method: the real package in
// development mode, where Next has a WebSocket, with an application of one page.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { root } from '../package/repository.ts';
import { Example } from '../support/example.ts';
import { PlainClient, refusedWith } from '../support/plain-client.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = stopsAndWatch();

/** Next finds React from here. It writes its build beside the page. */
const folder = join(root, '.test/next-app');
const page = `export default function Home() { return 'hello from Next'; }`;

describe('docs/recipes/next.md', () => {
  it('serves pages, the WebSocket that reloads them, and WebSockets of Mooring, and stops', async () => {
    mkdirSync(join(folder, 'pages'), { recursive: true });
    writeFileSync(join(folder, 'pages/index.js'), page);
    const env = {
      PORT: '0',
      NODE_ENV: 'development',
      NEXT_TELEMETRY_DISABLED: '1',
      // Next must not modify anything in this repository.
      NEXT_IGNORE_INCORRECT_LOCKFILE: '1',
    };
    const app = await stops.started(Example.start('recipes/next', env, { cwd: folder }));
    const site = app.url.replace('localhost', '127.0.0.1');
    assert.match(await (await fetch(site)).text(), /hello from Next/);

    const url = `${site.replace('http', 'ws')}/ws`;
    assert.equal(await refusedWith(url), 401);
    const client = await PlainClient.open(url, { headers: { Cookie: 'user=ada' } });
    assert.deepEqual(await client.hears(1), [{ hello: 'ada' }]);
    const reloading = await PlainClient.open(url.replace('/ws', '/_next/hmr?id=1'));
    await until(() => reloading.messages.length > 0, 'Next speaks');
    reloading.socket.terminate();

    assert.equal(await app.stop(), 0, app.output);
    assert.equal(await client.isClosed(), '1001 draining');
  });
});
