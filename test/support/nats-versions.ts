import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  cacheFolder,
  findNatsServer,
  freshLists,
  type NatsServerProgram,
  program,
  unpackFromDebian,
} from '../../docs/examples/lobby/nats-server.ts';

/** The releases of Debian whose servers are tested beside the one that is found. All run on Debian 12. */
const RELEASES = ['trixie', 'sid'] as const;

/**
 * The versions of nats-server that can be had here: the one that is found, and on Debian those of later releases.
 *
 * With the environment variable `NATS_SERVERS=all`, as in `.ci/run`, every one must be there.
 */
export async function natsServers(): Promise<readonly NatsServerProgram[]> {
  const servers = [await findNatsServer()];
  for (const release of RELEASES) {
    try {
      servers.push(await serverOf(release));
    } catch (error) {
      if (process.env['NATS_SERVERS'] === 'all') throw error;
      console.error(`the nats-server of Debian ${release} is not tested: ${error}`);
    }
  }
  return servers;
}

/** The newest of them. */
export async function newestNatsServer(): Promise<NatsServerProgram> {
  const newest = (await natsServers()).at(-1);
  if (newest === undefined) throw new Error('there is no nats-server');
  return newest;
}

async function serverOf(release: string): Promise<NatsServerProgram> {
  const path = join(cacheFolder, `nats-server-${release}`);
  if (!existsSync(path)) await unpackFromRelease(path, release);
  return program(path, `from Debian ${release}`);
}

/** Uses lists of its own, so that the system's package lists stay as they are. */
async function unpackFromRelease(path: string, release: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mooring-apt-'));
  try {
    const sources = join(folder, 'release.sources');
    await writeFile(sources, await sourcesOf(release));
    const ofRelease = [`Dir::Etc::SourceList=${sources}`, 'Dir::Etc::SourceParts=-'];
    const options = await freshLists(
      folder,
      ofRelease.flatMap((option) => ['-o', option]),
    );
    await unpackFromDebian(path, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The source of the system, for another release. */
async function sourcesOf(release: string): Promise<string> {
  const folder = '/etc/apt/sources.list.d';
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), 'utf8');
    const [, uri] = /^URIs: (\S+\/debian)\/?$/m.exec(text) ?? [];
    const [, key] = /^Signed-By: (\S+)$/m.exec(text) ?? [];
    if (uri === undefined || key === undefined) continue;
    return `Types: deb\nURIs: ${uri}\nSuites: ${release}\nComponents: main\nSigned-By: ${key}\n`;
  }
  throw new Error(`no source in ${folder} is one of Debian`);
}
