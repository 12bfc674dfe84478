import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { basename, extname, join } from 'node:path';
import { Refusal } from 'mooring';
import { packageRoot } from '../../statecharts/package-root.ts';
import { authenticate } from './authenticate.ts';
import { chartExamples } from './chart-examples.ts';
import { readPageModules } from './page-modules.ts';

const SCRIPT = 'text/javascript; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': SCRIPT,
  '.svg': 'image/svg+xml; charset=utf-8',
};

/** Allows only resources of this origin, inline content by its hash, and no markup from strings. */
const policy = [
  "default-src 'self'",
  // In some browsers, 'self' does not include WebSockets of the same origin.
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

/** For files whose path stays the same when they change. */
const NO_CACHE = 'no-cache';
/** For modules: their path changes with their content. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** The placeholder of the import map, which must be inline and come before the first module. */
const IMPORT_MAP = '<script type="importmap"></script>';

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
  readonly caching: string;
}

/** The answer to a plain HTTP request. */
interface Answer extends PageFile {
  readonly status: number;
}

/**
 * Creates the handler of plain HTTP requests.
 *
 * It reads the files of the page once and finds them by their exact path: no request reaches the file system.
 */
export async function pageRequests(): Promise<RequestListener> {
  // The page is not compiled, so it is served from the sources, even if this file runs from another folder.
  const page = join(packageRoot(), 'docs/examples/lobby/page');
  const paths = (await readdir(page)).map((name) => join(page, name));
  const chart = join(packageRoot(), 'docs/statecharts/connection.svg');
  const files = await readFiles([...paths, chart]);
  const examples = Buffer.from(chartExamples());
  files.set('/examples.json', { type: JSON_TYPE, body: examples, caching: NO_CACHE });
  const { importMap, bodies } = await readPageModules();
  for (const [path, body] of bodies) files.set(path, { type: SCRIPT, body, caching: IMMUTABLE });
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

/** An SVG may contain styles. The policy allows them by their hash. */
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
    return plain(405, 'Use GET or HEAD.\n');
  }
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  if (path === '/ws') return answerToAccessCheck(request);
  const file = files.get(path);
  return file === undefined ? plain(404, 'Not found.\n') : { status: 200, ...file };
}

/** Browsers hide the HTTP answer to a refused upgrade. A page can send a plain GET instead to read the reason. */
function answerToAccessCheck(request: IncomingMessage): Answer {
  try {
    authenticate(request);
    return plain(426, 'This name is accepted. Connect with a WebSocket.\n');
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
