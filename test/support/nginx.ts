import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadPort } from './dead-port.ts';
import { eventually } from './until.ts';

const DOCS = new URL('../../../docs/', import.meta.url);

/** Texts of the configuration and their replacements. */
export type Changes = Readonly<Record<string, string>>;

/** A real nginx on loopback, with the configuration from a page. */
export class Nginx {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;
  #output = '';

  private constructor(port: number, folder: string) {
    this.port = port;
    this.#folder = folder;
    const globals = `daemon off; pid ${join(folder, 'pid')};`;
    const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr', '-g', globals];
    this.#process = spawn(nginxPath(), args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process.stderr?.on('data', (text) => {
      this.#output += text;
    });
  }

  /** Starts it in front of a service on `upstreamPort`, and waits until it accepts connections. */
  static start(upstreamPort: number, changes: Changes = {}): Promise<Nginx> {
    const upstream = `127.0.0.1:${upstreamPort}`;
    return Nginx.startOf('guide/deploying.md', 'listen 8080', {
      ...{ '10.0.0.11:3000': upstream, '10.0.0.12:3000': upstream },
      ...changes,
    });
  }

  /** Starts it with the configuration from another page, on its own port instead of the one of `listen`. */
  static async startOf(page: string, listen: string, changes: Changes): Promise<Nginx> {
    const port = await deadPort();
    const folder = mkdtempSync(join(tmpdir(), 'mooring-nginx-'));
    const places = { [listen]: `listen 127.0.0.1:${port}`, 'http {': inFolder(folder) };
    writeFileSync(join(folder, 'nginx.conf'), changed(configOf(page), { ...places, ...changes }));
    const nginx = new Nginx(port, folder);
    await eventually(() => nginx.#isListening(), 'nginx listens');
    return nginx;
  }

  async #isListening(): Promise<boolean> {
    if (this.#isOver) throw new Error(`nginx has ended: ${this.#output}`);
    const socket = connect(this.port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    });
    socket.destroy();
    return isOpen;
  }

  get #isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Like `nginx -s quit`: it accepts no new connections, and its workers end with their last connection. */
  quit(): void {
    this.#process.kill('SIGQUIT');
  }

  /** Like `nginx -s stop`. */
  async stop(): Promise<void> {
    if (!this.#isOver) {
      this.#process.kill('SIGTERM');
      await once(this.#process, 'exit');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The code block of a page that configures nginx. */
function configOf(page: string): string {
  const [, config] = /```nginx\n(.*?)```/s.exec(readFileSync(new URL(page, DOCS), 'utf8')) ?? [];
  if (config === undefined) throw new Error(`${page} shows no configuration of nginx`);
  return config;
}

function changed(config: string, changes: Changes): string {
  return Object.entries(changes).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the configuration has no “${from}”`);
    // Not a pattern: `$` is common in nginx configurations.
    return text.split(from).join(to);
  }, config);
}

/** Keeps nginx out of system folders. */
function inFolder(folder: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const lines = kinds.map((kind) => `${kind}_temp_path ${join(folder, kind)};`);
  return ['http {', 'access_log off;', ...lines].join('\n');
}

/** @throws Error that explains how to install it. */
function nginxPath(): string {
  const path = process.env['NGINX'] ?? '/usr/sbin/nginx';
  if (existsSync(path)) return path;
  throw new Error(
    `nginx is not at ${path}. Install it (on Debian: apt-get install --no-install-recommends ` +
      'nginx-light) or name its path in the environment variable NGINX.',
  );
}
