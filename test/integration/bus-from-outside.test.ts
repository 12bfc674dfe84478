// Goal: a program in any language can publish to topics, and hear what is published, by the guide alone. Method: a client that
// speaks the text protocol of NATS over a plain socket, with subjects, payloads and settings as they stand on the page.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { findNatsServer } from '../../docs/examples/lobby/nats-server.ts';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import type { SupervisorOptions } from '../../src/index.ts';
import { read, section, tableRows } from '../package/repository.ts';
import { selfSigned } from '../support/certificate.ts';
import type { Member } from '../support/crowd.ts';
import { NatsServer } from '../support/nats-server.ts';
import { heardBy, hears, Nodes } from '../support/nodes.ts';
import { type Credentials, RawNats } from '../support/raw-nats.ts';
import { until } from '../support/until.ts';

const page = read('docs/guide/several-processes.md');
const [, subject = '', payload = ''] = /^nats pub (\S+) '(.+)'$/m.exec(page) ?? [];
const [, example = ''] = /```text\n(\\u0001[\s\S]+?)\n```/.exec(page) ?? [];
const [, settings = ''] = /```\n(ping_interval[\s\S]+?)```/.exec(page) ?? [];
const [topics = '', everybody = ''] = tableRows(section(page, 'Other programs')).map(
  (row) => row['Subject'] ?? '',
);
const TOPIC = 'room/1';

const program = await findNatsServer();
const server = await NatsServer.start(program);
const folder = mkdtempSync(join(tmpdir(), 'mooring-nats-'));
after(() => server.kill());
after(() => rmSync(folder, { recursive: true }));

let nodes: Nodes;
const programs: RawNats[] = [];
const furtherServers: NatsServer[] = [];

afterEach(async () => {
  for (const nats of programs.splice(0)) await nats.close();
  await nodes.stop();
  for (const further of furtherServers.splice(0)) await further.kill();
});

async function startServer(options: readonly string[]): Promise<NatsServer> {
  const further = await NatsServer.start(program, options);
  furtherServers.push(further);
  return further;
}

/** Two processes with a member of the topic each. */
async function start(options: NatsBusOptions = {}, further: SupervisorOptions = {}) {
  const bus = natsBus({ servers: server.url, ...options });
  nodes = await Nodes.start([bus, bus], further as SupervisorOptions<unknown, unknown, unknown>);
  return [await nodes.member(0, [TOPIC]), await nodes.member(1, [TOPIC])] as const;
}

async function outside(at = server, credentials?: Credentials): Promise<RawNats> {
  const nats = await RawNats.connect(at.port, credentials);
  programs.push(nats);
  return nats;
}

/** A payload with a heading, as the page describes it. */
function withHeading(heading: object, message: string | Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.of(1),
    Buffer.from(`${JSON.stringify(heading)}\n`),
    Buffer.from(message as string),
  ]);
}

async function allHear(members: readonly Member[], message: unknown): Promise<void> {
  for (const member of members) await hears(member, message);
}

describe('a program outside', () => {
  it('publishes to the members of a topic in every process, with the command of the page', async () => {
    const members = await start();
    const stranger = await nodes.member(1, ['room/2']);
    const nats = await outside();
    nats.publish(subject, payload);
    await allHear(members, JSON.parse(payload));
    assert.equal(subject, topics.replace('<topic>', encodeURIComponent(TOPIC)));
    for (const { peer } of members) assert.deepEqual(peer.texts.at(-1), payload);
    assert.deepEqual(heardBy(stranger.peer), []);
  });

  it('publishes to every connection', async () => {
    const members = await start();
    const stranger = await nodes.member(1, ['room/2']);
    const nats = await outside();
    nats.publish(everybody, '"to all"');
    await allHear([...members, stranger], 'to all');
  });

  it('leaves connections out, with the heading of the page', async () => {
    const [one, other] = await start();
    const nats = await outside();
    const [heading = '', message = ''] = example.split('\n');
    const wanted = heading.replace('\\u0001', '').replace('k3v9x2.c1', one.connection.id);
    nats.publish(subject, withHeading(JSON.parse(wanted), message));
    nats.publish(subject, '"end"');
    await allHear([one, other], 'end');
    assert.deepEqual(heardBy(one.peer), ['end']);
    assert.deepEqual(heardBy(other.peer), [JSON.parse(message), 'end']);
  });

  it('publishes binary messages', async () => {
    const [one] = await start();
    const nats = await outside();
    const bytes = Buffer.from([0, 1, 10, 255]);
    nats.publish(subject, withHeading({ binary: true }, bytes));
    await until(() => one.peer.frames.some(({ opcode }) => opcode === 2), 'a binary frame arrives');
    const frame = one.peer.frames.find(({ opcode }) => opcode === 2);
    assert.deepEqual(Buffer.from(frame?.payload ?? []), bytes);
  });

  it('is told by each process which field of a heading is wrong', async () => {
    const [one] = await start();
    const nats = await outside();
    const fields = tableRows(section(page, 'Headings')).map((row) => row['Field'] ?? '');
    assert.deepEqual(fields, ['binary', 'except', 'overflow', 'key']);
    for (const field of fields) nats.publish(subject, withHeading({ [field]: 7 }, '"never"'));
    nats.publish(subject, '"end"');
    await hears(one, 'end');
    assert.deepEqual(heardBy(one.peer), ['end']);
    for (const service of nodes.services) {
      await until(() => service.of('handler.errored').length === fields.length, 'all are reported');
      const errors = service.of('handler.errored');
      assert.deepEqual(
        errors.map(({ handler, error }) => [handler, error.message.split(' ')[0]]),
        fields.map((field) => ['bus', field]),
      );
    }
  });

  it('hears what a supervisor publishes, in one topic or in all', async () => {
    await start();
    const [all, one] = [await outside(), await outside()];
    all.subscribe('mooring.1.live.*');
    one.subscribe(subject);
    await Promise.all([all.flush(), one.flush()]);
    const supervisor = nodes.supervisor(0);
    supervisor.topic('v1.2').publish({ number: 1 });
    supervisor.topic(TOPIC).publish({ number: 2 });
    supervisor.topic(TOPIC).publish('but one', { except: 'k3v9x2.c1' });
    const texts = (nats: RawNats) =>
      nats.heard
        .map((message) => [message.subject, message.payload.toString()])
        .filter(([, text]) => !text?.startsWith('"probe '));
    await until(() => texts(all).length === 3 && texts(one).length === 2, 'all are heard');
    const excepted = withHeading({ except: ['k3v9x2.c1'] }, '"but one"').toString();
    assert.deepEqual(texts(one), [
      [subject, '{"number":2}'],
      [subject, excepted],
    ]);
    assert.deepEqual(texts(all), [['mooring.1.live.v1%2E2', '{"number":1}'], ...texts(one)]);
  });
});

describe('the settings of the page', () => {
  it('admit the service with its password, and permit its own subjects only', async () => {
    const file = join(folder, 'nats.conf');
    writeFileSync(file, settings);
    process.env['CHAT_PASSWORD'] = 'sesame';
    const guarded = await startServer(['-c', file]);
    const credentials = { user: 'chat', pass: 'sesame' };
    const members = await start({ servers: guarded.url, connection: credentials });
    nodes.supervisor(0).topic(TOPIC).publish('inside');
    nodes.supervisor(0).broadcast('to all');
    await allHear(members, 'inside');
    await allHear(members, 'to all');
    const [stranger, same] = [await outside(guarded), await outside(guarded, credentials)];
    // First, because a write to a connection that is closed may lose what it has received.
    await until(() => stranger.errors.length > 0, 'the stranger is refused');
    stranger.publish(subject, '"forged"');
    same.publish('shop.1.live.room', '"elsewhere"');
    same.publish(subject, '"end"');
    await Promise.all([stranger.flush(), same.flush()]);
    await allHear(members, 'end');
    for (const { peer } of members) assert.deepEqual(heardBy(peer), ['inside', 'to all', 'end']);
    assert.match(String(stranger.errors), /Authorization Violation/);
    assert.match(String(same.errors), /Permissions Violation for Publish to "shop/);
    for (const service of nodes.services) assert.deepEqual(service.of('handler.errored'), []);
  });

  it('connect over TLS', async () => {
    const { key, cert } = selfSigned('localhost');
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    writeFileSync(keyFile, key);
    writeFileSync(certFile, cert);
    const secure = await startServer(['--tls', '--tlscert', certFile, '--tlskey', keyFile]);
    const servers = `nats://localhost:${secure.port}`;
    const members = await start({ servers, connection: { tls: { caFile: certFile } } });
    nodes.supervisor(0).topic(TOPIC).publish('over TLS');
    await allHear(members, 'over TLS');
  });
});
