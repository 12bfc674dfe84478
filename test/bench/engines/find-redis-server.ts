import { cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import {
  cacheFolder,
  isRunnable,
  unpackPackages,
} from '../../../docs/examples/lobby/nats-server.ts';

/** The server is in the second package, and the first has only a link to it. The others have libraries that it needs. */
const PACKAGES = ['redis-server', 'redis-tools', 'liblzf1', 'libjemalloc2'];

/** A redis-server that can be started. */
export interface RedisServerProgram {
  readonly path: string;
  /** The folder of libraries that it needs, if the system does not have them. */
  readonly libraries?: string;
}

/**
 * Finds a redis-server: the one that `REDIS_SERVER` names, one on the PATH, one that was unpacked before, or that of Debian's
 * package, which it downloads and unpacks without installing it.
 *
 * @throws Error if there is none
 */
export async function findRedisServer(): Promise<RedisServerProgram> {
  const named = process.env['REDIS_SERVER'];
  if (named !== undefined) return { path: named };
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'redis-server');
    if (await isRunnable(path)) return { path };
  }
  const libraries = join(cacheFolder, 'redis');
  const path = join(libraries, 'redis-server');
  if (!(await isRunnable(path))) await unpackFromDebian(libraries);
  return { path, libraries };
}

/** Puts the server and its libraries into one folder. */
async function unpackFromDebian(to: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-server-'));
  try {
    await unpackPackages(folder, PACKAGES);
    const made = `${to}.${process.pid}`;
    await mkdir(made, { recursive: true });
    const [architecture = ''] = await readdir(join(folder, 'usr/lib'));
    const wanted = { dereference: true, recursive: true };
    await cp(join(folder, 'usr/lib', architecture), made, wanted);
    await cp(join(folder, 'usr/bin/redis-server'), join(made, 'redis-server'), wanted);
    // In two steps, so that nobody finds half of it.
    await rename(made, to);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
