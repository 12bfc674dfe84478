import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { basename, extname, join } from 'node:path';
import { Refusal } from '../../../src/index.ts';
import { packageRoot } from '../../statecharts/package-root.ts';
import { chartExamples } from './chart-examples.ts';
import { readPageModules } from './page-modules.ts';
import { signOn } from './sign-on.ts';

const SCRIPT = 'text/javascript; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': SCRIPT,
  '.svg': 'image/svg+xml; charset=utf-8',
};

/** Nothing from elsewhere, nothing inline but what is known by its hash, and no text becomes markup. */
const policy = [
  "default-src 'self'",
  // Not every browser takes the WebSocket of the same origin for 'self'.
  "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
];

const headers = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** The page may change at any time; a module that changes gets another address. */
const NO_CACHE = 'no-cache';
const FOR_EVER = 'public, max-age=31536000, immutable';

/** Where the import map goes. It must be inline, and before whatever imports. */
const IMPORT_MAP = '<script type="importmap"></script>';

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly caching: string;
}

/** What one plain HTTP request is answered with. */
interface Answer extends PageFile {
  readonly status: number;
}

/**
 * Makes the handler of plain HTTP requests, from the files of the page.
 *
 * They are read once and found by exact name: no request ever becomes a path of the file system.
 */
export async function pageRequests(): Promise<RequestListener> {
  // The page is not compiled: it is served from the sources, wherever this file itself runs.
  const page = join(packageRoot(), 'docs/examples/lobby/page');
  const paths = (await readdir(page)).map((name) => join(page, name));
  const chart = join(packageRoot(), 'docs/statecharts/connection.svg');
  const files = await readFiles([...paths, chart]);
  const examples = Buffer.from(chartExamples());
  files.set('/examples.json', { type: JSON_TYPE, body: examples, caching: NO_CACHE });
  const { importMap, bodies } = await readPageModules();
  for (const [path, body] of bodies) files.set(path, { type: SCRIPT, body, caching: FOR_EVER });
  const index = files.get('/');
  if (index !== undefined) files.set('/', withImportMap(index, importMap));
  const styles = [...files.values()].flatMap(styleHashes).join(' ');
  const security = [
    ...policy,
    `script-src 'self' ${cspHash(importMap)}`,
    `style-src 'self' ${styles}`,
  ].join('; ');
  return (request, response) => {
    response.setHeader('Content-Security-Policy', security);
    respond(response, request, answerTo(request, files));
  };
}

async function readFiles(paths: readonly string[]): Promise<Map<string, PageFile>> {
  const entries = paths
    .filter((path) => extname(path) in types)
    .map(async (path) => {
      const type = types[extname(path)] ?? '';
      const file = { type, body: await readFile(path), caching: NO_CACHE };
      return [path.endsWith('index.html') ? '/' : `/${basename(path)}`, file] as const;
    });
  return new Map(await Promise.all(entries));
}

function withImportMap(index: PageFile, importMap: string): PageFile {
  const filled = IMPORT_MAP.replace('><', () => `>${importMap}<`);
  const html = index.body.toString().replace(IMPORT_MAP, () => filled);
  return { ...index, body: Buffer.from(html) };
}

/** A picture may bring a style of its own; the policy lets it apply by its hash. */
function styleHashes({ type, body }: PageFile): readonly string[] {
  if (type !== types['.svg']) return [];
  const styles = body.toString().matchAll(/<style>([\s\S]*?)<\/style>/g);
  return Array.from(styles, ([, style = '']) => cspHash(style));
}

function cspHash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function answerTo(request: IncomingMessage, files: ReadonlyMap<string, PageFile>): Answer {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plain(405, 'Only GET and HEAD are served here.\n');
  }
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  if (path === '/ws') return passport(request);
  const file = files.get(path);
  return file === undefined ? plain(404, 'Nothing is moored here.\n') : { status: 200, ...file };
}

/** Browsers hide the HTTP answer to a refused upgrade, so a page may ask plainly why it was refused. */
function passport(request: IncomingMessage): Answer {
  try {
    signOn(request);
    return plain(426, 'Welcome; come back with a WebSocket.\n');
  } catch (error) {
    if (error instanceof Refusal) return plain(error.status, error.message);
    throw error;
  }
}

function plain(status: number, text: string): Answer {
  const type = 'text/plain; charset=utf-8';
  return { status, type, body: Buffer.from(text), caching: NO_CACHE };
}

function respond(response: ServerResponse, request: IncomingMessage, answer: Answer): void {
  const { status, type, body, caching } = answer;
  response.writeHead(status, {
    ...headers,
    'Content-Type': type,
    'Content-Length': body.length,
    'Cache-Control': caching,
    ...(status === 405 && { Allow: 'GET, HEAD' }),
    ...(status === 426 && { Upgrade: 'websocket', Connection: 'Upgrade' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
