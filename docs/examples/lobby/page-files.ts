import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { dirname, extname, join } from 'node:path';
import { Refusal } from '../../../src/index.ts';
import { signOn } from './sign-on.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
};

/** Nothing from elsewhere, nothing inline, and no way to turn text into markup. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  // Not every browser takes the WebSocket of the same origin for 'self'.
  "connect-src 'self' ws://127.0.0.1:* ws://localhost:*",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const headers = {
  'Content-Security-Policy': CONTENT_SECURITY_POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-cache',
};

interface PageFile {
  readonly type: string;
  readonly body: Buffer;
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
  const files = await readPage(join(packageRoot(), 'docs/examples/lobby/page'));
  return (request, response) => respond(response, request, answerTo(request, files));
}

async function readPage(folder: string): Promise<ReadonlyMap<string, PageFile>> {
  const names = (await readdir(folder)).filter((name) => extname(name) in types);
  const entries = names.map(async (name) => {
    const file: PageFile = {
      type: types[extname(name)] ?? '',
      body: await readFile(join(folder, name)),
    };
    return [name === 'index.html' ? '/' : `/${name}`, file] as const;
  });
  return new Map(await Promise.all(entries));
}

/** The page is not compiled: it is served from the sources, wherever this file itself runs. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
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
  return { status, type: 'text/plain; charset=utf-8', body: Buffer.from(text) };
}

function respond(response: ServerResponse, request: IncomingMessage, answer: Answer): void {
  const { status, type, body } = answer;
  response.writeHead(status, {
    ...headers,
    'Content-Type': type,
    'Content-Length': body.length,
    ...(status === 405 && { Allow: 'GET, HEAD' }),
    ...(status === 426 && { Upgrade: 'websocket', Connection: 'Upgrade' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
