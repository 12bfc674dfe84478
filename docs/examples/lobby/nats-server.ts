import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from '@nats-io/transport-node';

const run = promisify(execFile);

/** Debian puts servers where a user's PATH does not lead. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** Without a network, apt-get may try for minutes. */
const DOWNLOAD_WITHIN_MS = 60_000;

const ANSWER_WITHIN_MS = 5_000;

/** A nats-server that can be started. */
export interface NatsServerProgram {
  readonly path: string;
  /** For example `2.9.10`. */
  readonly version: string;
  /** Where it was found, for people. */
  readonly origin: string;
}

/** No nats-server can be had, it does not run, or it lacks something. The message is one sentence for the user. */
export class NatsServerError extends Error {
  override readonly name = 'NatsServerError';
}

/** Where unpacked servers are kept. */
export const cacheFolder = join(homedir(), '.cache', 'mooring');

/**
 * Finds a nats-server: the one that `NATS_SERVER` names, one on the PATH, one that was unpacked before, or that of Debian's
 * package, which it downloads and unpacks without installing it.
 *
 * @throws NatsServerError with the commands that install one
 */
export async function findNatsServer(): Promise<NatsServerProgram> {
  const named = process.env['NATS_SERVER'];
  if (named !== undefined) return namedProgram(named);
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
    throw new NatsServerError(howToInstall, { cause });
  }
}

const howToInstall =
  'There is no nats-server here: install one (apt install nats-server, brew install nats-server), or start one ' +
  '(docker run -p 4222:4222 nats -js) and pass its address with --nats nats://127.0.0.1:4222, or set the environment ' +
  'variable NATS_SERVER to the path of one.';

async function namedProgram(path: string): Promise<NatsServerProgram> {
  try {
    return await program(path, 'named by NATS_SERVER');
  } catch (cause) {
    const problem = `NATS_SERVER is set to '${path}', which does not run as a nats-server`;
    throw new NatsServerError(`${problem}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Downloads Debian's package and takes the server out of it.
 *
 * @param options - further options of apt-get, for example to take it from another release.
 */
export async function unpackFromDebian(to: string, options: readonly string[] = []): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nats-server-'));
  try {
    await unpackPackages(folder, ['nats-server'], options);
    await mkdir(join(to, '..'), { recursive: true });
    // In two steps, so that nobody finds half of it.
    await cp(join(folder, 'usr/sbin/nats-server'), `${to}.${process.pid}`);
    await rename(`${to}.${process.pid}`, to);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Downloads packages of Debian into a folder and unpacks them there, without installing them. */
export async function unpackPackages(
  folder: string,
  names: readonly string[],
  options: readonly string[] = [],
): Promise<void> {
  const download = (all: readonly string[]) => {
    const command = ['-qq', ...all, 'download', ...names];
    return run('apt-get', command, { cwd: folder, timeout: DOWNLOAD_WITHIN_MS });
  };
  await download(options).catch(async (error) => {
    if (options.length > 0) throw error;
    // A fresh system has no list of packages yet.
    await download(await freshLists(folder));
  });
  const archives = (await readdir(folder)).filter((name) => name.endsWith('.deb'));
  if (archives.length === 0) throw new Error('apt-get has downloaded no package');
  for (const archive of archives) await run('dpkg', ['-x', join(folder, archive), folder]);
}

/**
 * Downloads lists of packages into a folder, so that those of the system stay as they are.
 *
 * @param options - further options of apt-get, for example its sources.
 * @returns the options of apt-get with which it uses these lists.
 */
export async function freshLists(
  folder: string,
  options: readonly string[] = [],
): Promise<readonly string[]> {
  const lists = join(folder, 'lists');
  await mkdir(join(lists, 'partial'), { recursive: true });
  const all = [...options, '-o', `Dir::State::Lists=${lists}`, '-o', `Dir::Cache=${folder}`];
  await run('apt-get', ['-qq', ...all, 'update'], { timeout: DOWNLOAD_WITHIN_MS });
  return all;
}

/** Whether a file exists and may be run. */
export async function isRunnable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Checks that a server can keep the lines of the rooms. One that cannot be reached may come later.
 *
 * @throws NatsServerError if it has no JetStream
 */
export async function checkJetStream(servers: string): Promise<void> {
  const options = { servers, reconnect: false, timeout: ANSWER_WITHIN_MS };
  const connection = await connect(options).catch(() => undefined);
  const info = connection?.info;
  await connection?.close();
  if (info === undefined || info.jetstream === true) return;
  throw new NatsServerError(
    `The nats-server at ${servers} has no JetStream, which keeps the messages of the rooms: start it with -js -sd <folder>.`,
  );
}

/** @throws Error if it does not run */
export async function program(path: string, origin: string): Promise<NatsServerProgram> {
  const { stdout } = await run(path, ['--version']);
  const [, version] = /^nats-server: v(\d+\.\d+\.\d+)/.exec(stdout) ?? [];
  if (version === undefined) throw new Error(`${path} is not a nats-server`);
  return { path, version, origin };
}
