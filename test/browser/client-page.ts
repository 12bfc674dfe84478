import { existsSync, readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';

const COMPILED = join(import.meta.dirname, '../..');
const MODULES = join(COMPILED, '../node_modules');

const HEAD = `<!doctype html>
<meta charset="utf-8">
<title>client</title>
<link rel="icon" href="data:,">
<script type="importmap">
{ "imports": { "rxjs/internal/": "/modules/rxjs/dist/esm/internal/", "xstate": "/modules/xstate/dist/xstate.esm.js", "tslib": "/modules/tslib/tslib.es6.mjs" } }
</script>
`;

/** A page that runs a script in which `createClient` of the compiled client is available. */
export function clientPage(script: string): string {
  return `${HEAD}<script type="module">
import { createClient } from '/compiled/src/client/browser.js';
${script}
</script>`;
}

/** Serves pages by their paths, and the compiled modules one by one. */
export function servePages(pages: Readonly<Record<string, string>>): RequestListener {
  return ({ url = '/' }, response) => {
    const page = pages[url.replace(/\?.*$/s, '')];
    if (page !== undefined) {
      response.setHeader('Content-Type', 'text/html').end(page);
      return;
    }
    const path = url
      .replace(/^\/modules\//, `${MODULES}/`)
      .replace(/^\/compiled\//, `${COMPILED}/`);
    // RxJS imports its modules without an extension.
    const file = [path, `${path}.js`].find((name) => /\.m?js$/.test(name) && existsSync(name));
    if (file === undefined) response.writeHead(404).end();
    else response.setHeader('Content-Type', 'text/javascript').end(readFileSync(file));
  };
}
