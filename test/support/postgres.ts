import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, type ClientConfig } from 'pg';

const run = promisify(execFile);

/** Each version of Debian's package has its own folder here. */
const VERSIONS = '/usr/lib/postgresql';

/** A real PostgreSQL, which a test may crash and start again. It listens on a Unix socket in its own folder. */
export class Postgres {
  readonly #folder: string;
  #process: ChildProcess;
  #databases = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#process = this.#spawn();
  }

  /** Starts a server without data, and waits until it accepts connections. */
  static async start(): Promise<Postgres> {
    // Not in the folder of `TMPDIR`, which may be closed to the user that runs the server.
    const folder = join('/tmp', `mooring-postgres-${randomUUID()}`);
    const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    const [command, ...args] = asUser('initdb', ['-D', folder, ...options]);
    await run(command, args, { cwd: '/' });
    const server = new Postgres(folder);
    await server.#untilReady();
    return server;
  }

  /** Creates a database in which these statements have run. */
  async database(statements: string): Promise<ClientConfig> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    await this.#query('postgres', `CREATE DATABASE ${name}`);
    await this.#query(name, statements);
    return this.#config(name);
  }

  async #query(database: string, statements: string): Promise<void> {
    const client = new Client(this.#config(database));
    await client.connect();
    await client.query(statements);
    await client.end();
  }

  #config(database: string): ClientConfig {
    return { host: this.#folder, user: 'postgres', database };
  }

  /** Like `pg_ctl stop -m immediate`: it ends without order, and recovers when it starts again. */
  async crash(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGQUIT');
    await ended;
  }

  async restart(): Promise<void> {
    await this.crash();
    this.#process = this.#spawn();
    await this.#untilReady();
  }

  /** Ends it, and leaves nothing behind. */
  async end(): Promise<void> {
    await this.crash();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #spawn(): ChildProcess {
    const options = ['-D', this.#folder, '-k', this.#folder];
    const settings = ['-c', 'listen_addresses=', '-c', 'fsync=off'];
    const [command, ...args] = asUser('postgres', [...options, ...settings]);
    return spawn(command, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  }

  #untilReady(): Promise<void> {
    let log = '';
    return new Promise((resolve, reject) => {
      this.#process.once('exit', () => reject(new Error(`postgres: ${log}`)));
      this.#process.stderr?.on('data', (text) => {
        log += text;
        if (log.includes('ready to accept connections')) resolve();
      });
    });
  }
}

/** A command of PostgreSQL. It refuses to run as root, so root runs it as the user of Debian's package. */
function asUser(program: string, args: readonly string[]): [string, ...string[]] {
  const command = [join(programs(), program), ...args] as const;
  if (process.getuid?.() !== 0) return [...command];
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...command];
}

/** The folder of the newest version. @throws Error that explains how to install it. */
function programs(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).map(Number) : [];
  if (versions.length > 0) return join(VERSIONS, `${Math.max(...versions)}`, 'bin');
  throw new Error(
    `PostgreSQL is not in ${VERSIONS}. Install it on Debian: apt-get install postgresql.`,
  );
}
