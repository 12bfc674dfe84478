import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { WebSocket } from 'undici';
import type { pageConditions } from './repository.ts';

/** The condition under which the bundler of a host resolves packages. */
export type Condition = (typeof pageConditions)[number];

/** What every host has in addition to the language: a WebSocket, text, time, and URLs. */
const common = {
  ...{ WebSocket, performance, setTimeout, clearTimeout, URL, AbortController },
  hostEncoder: new TextEncoder(),
  TextDecoder,
};

class FakeDocument extends EventTarget {
  readonly visibilityState = 'visible';
}

/** A window, or the global scope of a worker, as far as events are concerned. */
function listening() {
  const target = new EventTarget();
  return {
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
  };
}

/** What a host has in addition. None has a process, and most have no document. */
const globalsOf: Readonly<Record<Condition, () => object>> = {
  browser: () => ({
    ...listening(),
    document: new FakeDocument(),
    navigator: { onLine: true },
  }),
  worker: () => ({ ...listening(), navigator: { onLine: true } }),
  workerd: () => ({ ...listening(), navigator: { userAgent: 'Cloudflare-Workers' } }),
  'edge-light': () => ({ EdgeRuntime: 'edge-runtime' }),
  deno: () => ({ ...listening(), Deno: {}, navigator: { userAgent: 'Deno' } }),
  'react-native': () => ({ navigator: { product: 'ReactNative' } }),
};

/** Gives a realm its own objects: arrays of a foreign realm would not be its own `Uint8Array`. */
const prelude = `
globalThis.self = globalThis;
const encoder = hostEncoder;
delete globalThis.hostEncoder;
globalThis.TextEncoder = class {
  encode(text) { return Uint8Array.from(encoder.encode(text)); }
  encodeInto(text, bytes) { return encoder.encodeInto(text, bytes); }
};`;

/** JavaScript engines of phones lack newer methods. React Native has a URL of its own, whose getters once threw. */
const lacks: Partial<Record<Condition, string>> = {
  'react-native': `
delete String.prototype.toWellFormed;
delete String.prototype.isWellFormed;
globalThis.URL = class {
  constructor(url) { this.href = String(url); }
  get host() { throw new Error('URL.host is not implemented'); }
  get pathname() { throw new Error('URL.pathname is not implemented'); }
};`,
};

const program = (entry: string) => `
import { createClient } from '${entry}';

globalThis.talk = (url) => new Promise((resolve, reject) => {
  const client = createClient(url, { signs: (host) => host.woke() });
  const log = [];
  client.messages$.subscribe((message) => {
    log.push(message);
    client.wake();
    client.close(4001, 'enough').then(() => resolve(log), reject);
  });
  client.endings$.subscribe(({ verdict, failure }) => {
    log.push((verdict ?? failure).cause);
    if (failure) reject(failure.error ?? new Error(failure.cause));
  });
  client.send({ text: 'grüß dich' });
});`;

/** The output of a program in a host, and the packages in its bundle. */
export interface Talk {
  /** The echo, and the cause of the ending. */
  readonly log: readonly unknown[];
  readonly packages: readonly string[];
}

/** Bundles a program for a host from what is installed in `folder`, and runs it against an echo server. */
export async function talkFrom(
  { condition, entry, folder }: { condition: Condition; entry: string; folder: string },
  url: string,
): Promise<Talk> {
  const { metafile, outputFiles } = await build({
    stdin: { contents: program(entry), resolveDir: folder },
    absWorkingDir: folder,
    conditions: [condition],
    platform: 'neutral',
    mainFields: ['module', 'main'],
    format: 'iife',
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    outfile: 'host.js',
  });
  const realm = createContext({ ...common, ...globalsOf[condition]() });
  runInContext(`{${prelude}${lacks[condition] ?? ''}}`, realm);
  runInContext(outputFiles[0]?.text ?? '', realm);
  const log = await (realm['talk'] as (url: string) => Promise<unknown[]>)(url);
  const packages = Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(path)?.[1] ?? [],
  );
  // Created in another realm, which `deepEqual` would notice.
  return { log: JSON.parse(JSON.stringify(log)), packages: [...new Set(packages)].sort() };
}

/** What compiles in a project of such a host: it sees what exists there, and nothing else. */
export const hostConsumer = `
import { type Client, type ClientOptions, createClient, type HostSigns } from 'mooring/client';
import { createClient as createInspectClient } from 'mooring/client/inspect';
// @ts-expect-error pools dial by ws
import { createPool } from 'mooring/client';
// @ts-expect-error options of Node.js
import type { NodeClientOptions } from 'mooring/client';
// @ts-expect-error what Node.js connects with
import type { ConnectOptions } from 'mooring/client';

const url = 'wss://example.com/';
const options: ClientOptions = {
  silentMs: 60_000,
  heartbeat: { message: 'ping', expects: (payload) => payload === 'pong', everyMs: 20_000, always: true },
  signs: (host: HostSigns) => {
    host.woke();
    return () => host.offline();
  },
  limits: { payloadBytesMax: 1_000, inFlightMax: 1 },
  timeouts: { pausedMs: 1_000, welcomeMs: 1_000 },
};
const client: Client = createClient(url, options);
client.wake();
createClient(url, {
  heartbeat: {
    message: () => ({ event: 'ping' }),
    expects(payload, answer) {
      const isSent: 'sent' | 'queued' | 'refused' = answer({ event: 'pong' });
      return isSent === 'sent' && typeof payload === 'string' && payload.startsWith('{');
    },
  },
  signs: (host) => host.online(),
});
createInspectClient(url, { ...options, inspect: () => {} });
// @ts-expect-error needs XState
createClient(url, { inspect: () => {} });
// @ts-expect-error a page cannot set headers
createClient(url, { headers: { authorization: 'x' } });
// @ts-expect-error the same
createInspectClient(url, { headers: { authorization: 'x' } });
// @ts-expect-error of Node.js
createClient(url, { connect: {} });
// @ts-expect-error of Node.js
createClient(url, { actors: 'eager' });
// @ts-expect-error a supervisor is a server
createClient(url, { supervisor: undefined });
// @ts-expect-error a page never sees fragments
createClient(url, { limits: { fragmentsMax: 1 } });
// @ts-expect-error the same
createClient(url, { limits: { bufferedChunksMax: 1 } });
// @ts-expect-error a page gets whole messages
createClient(url, { timeouts: { messageMs: 1 } });
`;
