// Goal: a name with several addresses is as good as its live ones, and TLS checks the name that was given. Method: a name that
// only this test knows.
import assert from 'node:assert/strict';
import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it, mock } from 'node:test';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import { selfSigned } from '../support/certificate.ts';
import { deadPort } from '../support/dead-port.ts';
import { NatsServer } from '../support/nats-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { Service } from '../support/service.ts';

type Answer = (error: null, address: string | LookupAddress[], family?: number) => void;

const NAME = 'nats.test';
const OTHER_ADDRESS = '127.0.0.2';
const program = await newestNatsServer();
const folder = mkdtempSync(join(tmpdir(), 'mooring-nats-'));
after(() => rmSync(folder, { recursive: true }));

let server: NatsServer;
let service: Service | undefined;

/** Gives the name addresses, in this order. */
function resolveTo(...addresses: string[]): void {
  const system = dns.lookup as (name: string, options: LookupOptions, answer: Answer) => void;
  mock.method(dns, 'lookup', (name: string, options: LookupOptions, answer: Answer) => {
    if (name !== NAME) return system(name, options, answer);
    const all = addresses.map((address) => ({ address, family: 4 }));
    process.nextTick(() => {
      if (options.all === true) answer(null, all);
      else answer(null, addresses[0] ?? '', 4);
    });
  });
}

async function start(options: NatsBusOptions = {}): Promise<Service> {
  const bus = natsBus({ servers: `nats://${NAME}:${server.port}`, ...options });
  service = await Service.start({ bus });
  return service;
}

async function stop(): Promise<void> {
  await service?.supervisor.drain();
  await service?.stop();
  service = undefined;
}

/** A server of NATS with a certificate for a name. Returns the file with the certificate. */
async function startSecure(name: string): Promise<string> {
  const { key, cert } = selfSigned(name);
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  writeFileSync(keyFile, key);
  writeFileSync(certFile, cert);
  server = await NatsServer.start(program, ['--tls', '--tlscert', certFile, '--tlskey', keyFile]);
  return certFile;
}

/** Refuses everybody, as a server does that has other credentials. */
async function refuseAt(address: string, port: number): Promise<Server> {
  const info = { version: '2.10.0', proto: 1, headers: true, max_payload: 1_048_576 };
  const refusing = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
    socket.on('data', () => socket.end("-ERR 'Authorization Violation'\r\n"));
  });
  await once(refusing.listen(port, address), 'listening');
  return refusing;
}

describe('the addresses of a NATS server', { timeout: 20_000 }, () => {
  afterEach(async () => {
    await stop();
    await server.kill();
    mock.restoreAll();
  });

  it('one of a name is dead', async () => {
    server = await NatsServer.start(program);
    resolveTo(OTHER_ADDRESS, '127.0.0.1');
    await (await start()).when('bus.up');
  });

  it('one of a name refuses, and goes', async () => {
    server = await NatsServer.start(program);
    resolveTo(OTHER_ADDRESS, '127.0.0.1');
    const refusing = await refuseAt(OTHER_ADDRESS, server.port);
    const started = await start();
    assert.match(String((await started.when('bus.down')).error), /authorization/i);
    refusing.close();
    await started.when('bus.up');
  });

  it('one refuses, and another is dead', async () => {
    server = await NatsServer.start(program, ['--user', 'ada', '--pass', 'secret']);
    const servers = [server.url, `127.0.0.1:${await deadPort()}`];
    const started = await start({ servers, connection: { noRandomize: true } });
    assert.match(String((await started.when('bus.down')).error), /authorization/i);
  });

  it('one that begins with tls:// insists on TLS', async () => {
    server = await NatsServer.start(program);
    for (const connection of [{}, { tls: null }]) {
      const started = await start({ servers: `tls://127.0.0.1:${server.port}`, connection });
      assert.match(String((await started.when('bus.down')).error), /does not support 'tls'/);
      await stop();
    }
  });

  for (const host of [NAME, '127.0.0.1']) {
    it(`the certificate is for ${host}`, async () => {
      const caFile = await startSecure(host);
      resolveTo('127.0.0.1');
      const servers = `${host}:${server.port}`;
      await (await start({ servers, connection: { tls: { caFile } } })).when('bus.up');
    });

    it(`the certificate is not for ${host}`, async () => {
      const caFile = await startSecure('localhost');
      resolveTo('127.0.0.1');
      const servers = `${host}:${server.port}`;
      const started = await start({ servers, connection: { tls: { caFile } } });
      assert.match(String((await started.when('bus.down')).error), /altnames/);
    });
  }
});
