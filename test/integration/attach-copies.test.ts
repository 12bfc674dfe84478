import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Failure } from '../../src/index.ts';
import * as first from '../../src/index.ts';
import { socketsOf } from '../support/before-open-premises.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

// Goal: two copies of the package work on one server, as when a dependency brings its own version. Method: copy
// the compiled package and import it once more.

const compiled = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(`${compiled}copy-`);
for (const part of ['src', 'machines'])
  cpSync(compiled + part, `${folder}/${part}`, { recursive: true });
const second: typeof first = await import(pathToFileURL(`${folder}/src/index.js`).href);
after(() => rmSync(folder, { recursive: true }));

const servers: [Server, ReadonlySet<Socket>][] = [];

afterEach(async () => {
  for (const [server, sockets] of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** One copy that serves a path of its own. */
interface Serving {
  readonly copy: typeof first;
  readonly server: Server;
  readonly path: string;
  readonly takeOver?: boolean;
  /** Decides who is admitted. @default everybody */
  readonly decide?: () => unknown;
}

function served({ copy, server, path, takeOver = true, decide = () => 'somebody' }: Serving) {
  const failures: Failure[] = [];
  const supervisor = copy.createSupervisor({
    authenticate: async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return decide();
    },
    onOpen: (connection) => void connection.send(path),
    onFailed: (failure) => failures.push(failure),
  });
  return { failures, detach: copy.attach(server, supervisor, { path, takeOver }) };
}

async function listening(server: Server): Promise<number> {
  servers.push([server, socketsOf(server)]);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function greets(port: number, path: string): Promise<void> {
  const peer = await RawPeer.open(port, { path });
  await until(() => peer.texts.length > 0 || peer.closed, `${path} greets`);
  assert.deepEqual(peer.texts, [`"${path}"`]);
}

async function status(port: number, path: string): Promise<number> {
  const peer = await RawPeer.connect(port);
  peer.request({ path });
  await until(() => peer.status !== 0 || peer.closed, `${path} is answered`, 20_000);
  return peer.status;
}

describe('attach: two copies of Mooring on one server', { timeout: 60_000 }, () => {
  it('are two copies', () => assert.notEqual(first.attach, second.attach));

  const orders = [
    ['/one', '/two'],
    ['/two', '/one'],
  ] as const;
  for (const attached of orders) {
    for (const detached of orders) {
      it(`serve their own paths: attached ${attached}, detached ${detached}`, async () => {
        const server = createServer();
        const byPath = new Map(
          attached.map((path) => {
            const copy = path === '/one' ? first : second;
            return [path, served({ copy, server, path })];
          }),
        );
        const port = await listening(server);
        await greets(port, '/one');
        await greets(port, '/two');
        assert.equal(await status(port, '/nobody'), 404);
        const failures = [...byPath.values()].flatMap((each) => each.failures);
        assert.deepEqual(
          failures.map(({ cause, path }) => [cause, path]),
          [['wrong-path', '/nobody']],
        );
        const [gone, stays] = detached;
        byPath.get(gone)?.detach();
        await greets(port, stays);
        assert.equal(await status(port, gone), 404);
        byPath.get(stays)?.detach();
        assert.equal(server.listenerCount('upgrade') + server.listenerCount('request'), 0);
      });
    }
  }

  it('serve their own paths as listeners among others', async () => {
    const server = createServer();
    served({ copy: first, server, path: '/one', takeOver: false });
    served({ copy: second, server, path: '/two', takeOver: false });
    const port = await listening(server);
    await greets(port, '/one');
    await greets(port, '/two');
  });

  it('recognize the refusal and the admission of each other', async () => {
    const server = createServer();
    const refuse = () => {
      throw new second.Refusal(403, 'not you');
    };
    served({ copy: first, server, path: '/refused', decide: refuse });
    served({ copy: first, server, path: '/admitted', decide: () => second.admitted('somebody') });
    const port = await listening(server);
    assert.equal(await status(port, '/refused'), 403);
    await greets(port, '/admitted');
  });

  it('answer a plain request once', async () => {
    const server = createServer();
    served({ copy: first, server, path: '/one' });
    served({ copy: second, server, path: '/two' });
    const port = await listening(server);
    const answer = await fetch(`http://127.0.0.1:${port}/two`);
    assert.deepEqual([answer.status, await answer.text()], [426, 'upgrade to websocket\n']);
  });
});
