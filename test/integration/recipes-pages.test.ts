// Goal: the recipes for pages show what a client receives, and release it. Method: the real packages in Node.js,
// without a DOM, on a client with real sockets.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Injector, runInInjectionContext } from '@angular/core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { create } from 'react-test-renderer';
import type { Component } from 'svelte';
import { compile } from 'svelte/compiler';
import { render } from 'svelte/server';
import { FEED, injectFeed, provideFeed } from '../../docs/examples/recipes/angular.ts';
import { Price, type Quote } from '../../docs/examples/recipes/react.tsx';
import { latestOf } from '../../docs/examples/recipes/svelte.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { createSupervisor } from '../../src/index.ts';
import { read } from '../package/repository.ts';
import { served } from '../support/served.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();

// The renderer warns on each run that it is deprecated outside of React Native.
Object.assign(globalThis, { IS_REACT_NATIVE_TEST_ENVIRONMENT: true });

/** A service with a price, and a client that dials when somebody reads. */
async function feed() {
  const supervisor = createSupervisor<undefined, unknown, Quote>({
    onOpen: (connection) => void connection.send({ symbol: 'EUR', price: 1 }),
  });
  const url = await served(supervisor, stops);
  const client: Client<Quote> = createClient<Quote>(url, { dial: 'on-demand', idleMs: 50 });
  stops.add(() => client.close());
  return { supervisor, url, client };
}

describe('docs/recipes/react.md', () => {
  it('renders on a server without dialing', async () => {
    const { client } = await feed();
    const html = renderToString(createElement(Price, { client }));
    assert.equal(html, '<p title="idle">… (not live)</p>');
    assert.equal(client.status.attempts, 0);
  });

  it('shows the last price and the state, and unsubscribes', async () => {
    const { supervisor, client } = await feed();
    const renderer = create(createElement(Price, { client }));
    const shows = (text: string) =>
      until(() => JSON.stringify(renderer.toJSON()).includes(text), `it shows ${text}`);
    await shows('"children":["EUR 1"]');
    supervisor.broadcast({ symbol: 'EUR', price: 2 });
    await shows('"children":["EUR 2"]');
    supervisor.suspend();
    for (const connection of supervisor.connections) connection.terminate();
    await shows('"children":["EUR 2 (not live)"]');
    supervisor.admit();
    client.dialNow();
    await shows('"children":["EUR 1"]');
    renderer.unmount();
    await until(() => client.status.state === 'idle', 'nobody reads any more');
  });
});

describe('docs/recipes/angular.md', () => {
  it('has the last price and the state as signals, and closes with its injector', async () => {
    const { supervisor, url } = await feed();
    const injector = Injector.create({ providers: [provideFeed(url)] });
    const client = injector.get(FEED);
    await turns(3);
    assert.equal(client.status.attempts, 0);
    const { quote, state } = runInInjectionContext(injector, injectFeed);
    assert.equal(quote(), undefined);
    await until(() => quote()?.price === 1 && state() === 'up', 'the current price');
    supervisor.broadcast({ symbol: 'EUR', price: 2 });
    await until(() => quote()?.price === 2, 'the next price');
    injector.destroy();
    await until(() => client.status.state === 'stopped', 'the client has closed');
    assert.throws(injectFeed, /NG0203/);
  });
});

describe('docs/recipes/svelte.md', () => {
  it('has the last price as a store, and unsubscribes', async () => {
    const { supervisor, client } = await feed();
    const quotes: (Quote | undefined)[] = [];
    const unsubscribe = latestOf(client.messages$, undefined).subscribe((quote) => {
      quotes.push(quote);
    });
    await until(() => quotes.length === 2, 'the current price');
    supervisor.broadcast({ symbol: 'EUR', price: 2 });
    await until(() => quotes.length === 3, 'the next price');
    assert.deepEqual(
      quotes.map((quote) => quote?.price),
      [undefined, 1, 2],
    );
    unsubscribe();
    await until(() => client.status.state === 'idle', 'nobody reads any more');
  });

  it('shows a component that compiles', async () => {
    const { client } = await feed();
    const Price = await componentOf('docs/recipes/svelte.md');
    const { body } = render(Price, { props: { client } });
    assert.match(body, /<p title="idle">….*<\/p>/);
    // As the page warns.
    await until(() => client.status.attempts === 1, 'reading on the server has made it dial');
  });
});

/** The component of a page, compiled for a server. */
async function componentOf(page: string): Promise<Component> {
  const [, source = ''] = /```svelte\n(.*?)```/s.exec(read(page)) ?? [];
  const { js } = compile(source, { generate: 'server', dev: false });
  const file = new URL('../../docs/examples/recipes/price.svelte.js', import.meta.url);
  writeFileSync(file, js.code.replace("'./latest'", "'./svelte.js'"));
  return (await import(file.href)).default;
}
