import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian puts servers where a user's PATH does not lead. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** A nats-server that can be started. */
export interface NatsServerProgram {
  readonly path: string;
  /** For example `2.9.10`. */
  readonly version: string;
  /** Where it was found, for people. */
  readonly origin: string;
}

/** Where unpacked servers are kept. */
export const cacheFolder = join(homedir(), '.cache', 'mooring');

/**
 * Finds a nats-server: the one that `NATS_SERVER` names, one on the PATH, one that was unpacked before, or that of Debian's
 * package, which it downloads and unpacks without installing it.
 *
 * @throws Error with the commands that install one
 */
export async function findNatsServer(): Promise<NatsServerProgram> {
  const named = process.env['NATS_SERVER'];
  if (named !== undefined) return program(named, 'named by NATS_SERVER');
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  for (const folder of folders) {
    const path = join(folder, 'nats-server');
    if (await isRunnable(path)) return program(path, `found in ${folder}`);
  }
  const cached = join(cacheFolder, 'nats-server');
  if (await isRunnable(cached)) return program(cached, `unpacked earlier to ${cacheFolder}`);
  try {
    await unpackFromDebian(cached);
    return await program(cached, `unpacked from Debian's package to ${cacheFolder}`);
  } catch (cause) {
    throw new Error(howToInstall, { cause });
  }
}

const howToInstall =
  'There is no nats-server here. Install one (brew install nats-server, apt install nats-server, or ' +
  'docker run -p 4222:4222 nats) and name the address of a running one with --url, or its path in ' +
  'the environment variable NATS_SERVER.';

/**
 * Downloads Debian's package and takes the server out of it.
 *
 * @param options - further options of apt-get, for example to take it from another release.
 */
export async function unpackFromDebian(to: string, options: readonly string[] = []): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nats-server-'));
  try {
    await run('apt-get', ['-qq', ...options, 'download', 'nats-server'], { cwd: folder });
    const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get has downloaded no package');
    await run('dpkg', ['-x', join(folder, archive), folder]);
    await mkdir(join(to, '..'), { recursive: true });
    // In two steps, so that nobody finds half of it.
    await cp(join(folder, 'usr/sbin/nats-server'), `${to}.${process.pid}`);
    await rename(`${to}.${process.pid}`, to);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function isRunnable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** @throws Error if it does not run */
export async function program(path: string, origin: string): Promise<NatsServerProgram> {
  const { stdout } = await run(path, ['--version']);
  const [version] = /\d+\.\d+\.\d+/.exec(stdout) ?? [];
  if (version === undefined) throw new Error(`${path} is not a nats-server`);
  return { path, version, origin };
}
