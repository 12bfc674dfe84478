// Goal: what an append and a reader are told is true, whatever the server does or is. Method: the newest server that can be had,
// set up as it should not be, cut off in the middle of an answer, and asked by a program without Mooring.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import { JetStream } from '../../src/bus/nats/log/jet-stream.ts';
import { resolveNatsBusOptions } from '../../src/bus/nats/options.ts';
import type { Place } from '../../src/core/bus-log.ts';
import { systemClock } from '../../src/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import {
  append,
  assertChained,
  contentOf,
  copyOf,
  following,
  type LogMember,
  logMemberOf,
  placeOf,
  readAll,
  readTexts,
  startOf,
  textsOf,
} from '../support/log-member.ts';
import { NatsServer } from '../support/nats-server.ts';
import { natsServers } from '../support/nats-versions.ts';
import { until } from '../support/until.ts';

const programs = await natsServers();
const program = programs.at(-1);
if (program === undefined) throw new Error('there is no nats-server');
const newest = program;
const server = await JetStreamServer.start(program);
after(() => server.end());

let services = 0;
const opened: LogMember[] = [];
const outsiders: NatsConnection[] = [];

function nameOfService(): string {
  services += 1;
  return `faults-${services}`;
}

async function joinService(options: NatsBusOptions): Promise<LogMember> {
  const member = await logMemberOf(natsBus({ servers: server.url, ...options }));
  opened.push(member);
  return member;
}

/** A program without Mooring. */
async function outsider(url = server.url): Promise<NatsConnection> {
  const nats = await connect({ servers: url });
  outsiders.push(nats);
  return nats;
}

/** Sets up a stream as natsBus does, but for some settings. */
async function setUp(name: string, settings: object): Promise<void> {
  const config = {
    name,
    subjects: [`${name}.1.in.*`],
    storage: 'file',
    max_age: 600e9,
    max_msgs_per_subject: 1_000,
    allow_direct: true,
    republish: { src: `${name}.1.in.>`, dest: `${name}.1.out.>` },
    ...settings,
  };
  const nats = await outsider();
  const answer = await nats.request(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify(config));
  assert.equal(answer.json<{ error?: object }>().error, undefined);
}

function messagesOf({ errors }: LogMember): string[] {
  return errors.map(({ message }) => message);
}

function entry(id: string, payload: string | Uint8Array = id) {
  return { id, payload: Buffer.from(payload as string), isBinary: false };
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ link }) => link.close()));
  await Promise.all(outsiders.splice(0).map((nats) => nats.close()));
});

describe('an append', { timeout: 60_000 }, () => {
  it('whose answer is cut off is sent again and kept once', async () => {
    const name = nameOfService();
    await using proxy = await FaultProxy.start({ port: server.port });
    const one = await joinService({ name, servers: `127.0.0.1:${proxy.port}` });
    const other = await joinService({ name });
    const heard = await following(other, 'room');
    const start = await startOf(one, 'room');
    const [link] = proxy.links.slice(-1);
    link?.down.set({ blackhole: true });
    const appended = ['a', 'b', 'c'].map((id) => append(one, 'room', id));
    await until(() => heard.length === 3, 'all are kept');
    link?.down.reset();
    const stored = await Promise.all(appended);
    assert.deepEqual(
      stored.map(({ place }) => place),
      heard.map(placeOf),
    );
    assert.ok(stored.every(({ isDuplicate }) => isDuplicate));
    assert.deepEqual(await readTexts(one, 'room', start), ['a', 'b', 'c']);
    assert.equal(heard.length, 3);
  });

  it('is refused at once if the stream takes no message of this length', async () => {
    const name = nameOfService();
    await setUp(name, { max_msg_size: 500 });
    const one = await joinService({ name });
    const { signal } = new AbortController();
    const long = one.log.append('room', entry('long', 'x'.repeat(1_000)), signal);
    await assert.rejects(long, /refuses to keep a message: message size exceeds/);
    await append(one, 'room', 'short');
  });

  it('waits while the stream is full', async () => {
    const name = nameOfService();
    await setUp(name, { max_bytes: 2_000, discard: 'new' });
    const one = await joinService({ name });
    const given = new AbortController();
    const payload = 'x'.repeat(600);
    for (const id of ['a', 'b', 'c'])
      await Promise.race([
        one.log.append('room', entry(id, payload), given.signal).catch(() => {}),
        until(() => messagesOf(one).some((text) => /to keep/.test(text)), 'it is told'),
      ]);
    const told = messagesOf(one).filter((text) => /to keep/.test(text));
    assert.equal(told.length, 1, String(told));
    assert.match(told[0] ?? '', /maximum bytes exceeded/);
    const nats = await outsider();
    await nats.request(`$JS.API.STREAM.PURGE.${name}`);
    await append(one, 'room', 'now');
    given.abort();
  });
});

describe('a stream that is not as it should be', { timeout: 60_000 }, () => {
  it('and is full can be read', async () => {
    const name = nameOfService();
    await setUp(name, { max_bytes: 5_000, discard: 'new' });
    const one = await joinService({ name });
    const start = await startOf(one, 'room');
    await append(one, 'room', 'a');
    const nats = await outsider();
    const isKept = async () => {
      const answer = await nats.request(`${name}.1.in.other`, 'x'.repeat(50));
      return answer.json<{ error?: object }>().error === undefined;
    };
    while (await isKept());
    const other = await joinService({ name });
    assert.deepEqual(await readTexts(other, 'room', start), ['a']);
    await until(() => other.errors.length > 1, 'it is told');
    assert.match(messagesOf(other).join(), /refuses .*fence: maximum bytes exceeded/);
    assert.deepEqual([one.rewrites, other.rewrites], [0, 0]);
  });

  it('and takes none of the subjects is told before anything fails', async () => {
    const name = nameOfService();
    await setUp(name, { subjects: [`${name}.orders.*`], republish: undefined });
    const one = await joinService({ name });
    await until(() => one.errors.length > 1, 'it is told');
    assert.match(messagesOf(one)[0] ?? '', /not as natsBus would set it up: subjects is .*orders/);
  });

  it('and gets more room has not got back what was pushed out, or was purged', async () => {
    const name = nameOfService();
    await setUp(name, { max_msgs_per_subject: 5 });
    const one = await joinService({ name });
    const nats = await outsider();
    const ask = (operation: string, body: object) =>
      nats.request(`$JS.API.STREAM.${operation}.${name}`, JSON.stringify(body));
    const places = [];
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
      places.push((await append(one, 'room', id)).place);
    const [a, b, , d] = places as [Place, Place, Place, Place];
    const { config } = (await nats.request(`$JS.API.STREAM.INFO.${name}`)).json<{
      config: object;
    }>();
    await ask('UPDATE', { ...config, max_msgs_per_subject: 100 });
    const expired = { isWhole: false, cause: 'expired' };
    for (const place of [a, b]) assert.deepEqual(await one.log.read('room', place, 10), expired);
    assert.deepEqual(await readTexts(one, 'room', d), ['e', 'f', 'g', 'h']);
    await ask('PURGE', { filter: `${name}.1.in.room`, keep: 2 });
    assert.deepEqual(await one.log.read('room', d, 10), expired);
  });

  it('and keeps no messages is refused', async () => {
    const name = nameOfService();
    await setUp(name, { retention: 'interest' });
    const one = await joinService({ name });
    await until(() => one.errors.length > 0, 'it is told');
    assert.match(messagesOf(one)[0] ?? '', /has the retention "interest", which does not keep/);
    const given = new AbortController();
    const appended = one.log.append('room', entry('a'), given.signal);
    await assert.rejects(one.log.tail('room'), /the retention "interest"/);
    given.abort(new Error('given up'));
    await assert.rejects(appended, /given up/);
  });

  it('is reported once, and the log goes by what it is', async () => {
    const name = nameOfService();
    await setUp(name, { max_age: 60e9, max_msgs_per_subject: 20, allow_direct: false });
    const one = await joinService({ name });
    const start = await startOf(one, 'room');
    assert.deepEqual(one.log.retention, { forMs: 60_000, messagesPerTopic: 20 });
    const [told = ''] = messagesOf(one);
    assert.ok(told.startsWith(`the stream ${name} of the NATS server is not as natsBus would`));
    const differences = [
      'max_age is 60000 ms, not 600000 ms',
      'max_msgs_per_subject is 20, not 1000',
      'duplicate_window is 60000 ms, not 120000 ms',
      'allow_direct is false, not true',
    ];
    assert.ok(told.endsWith(`it up: ${differences.join(', ')}. It stays as it is.`), told);
    for (const id of ['a', 'b', 'c']) await append(one, 'room', id);
    assert.deepEqual(await readTexts(one, 'room', start, 2), ['a', 'b', 'c']);
    await server.kill();
    await server.restart();
    await append(one, 'room', 'd');
    assert.equal(one.errors.length, 1, String(messagesOf(one)));
  });

  it('that cannot be set up is told, and an append waits', async () => {
    const one = await joinService({ name: nameOfService(), replicas: 3 });
    await until(() => one.errors.length > 0, 'it is told');
    assert.match(messagesOf(one)[0] ?? '', /refuses .*STREAM\.CREATE.*replicas > 1 not supported/);
    const reason = new Error('given up');
    const given = new AbortController();
    const appended = one.log.append('room', entry('a'), given.signal);
    await assert.rejects(one.log.tail('room'), /replicas > 1 not supported/);
    given.abort(reason);
    await assert.rejects(appended, reason);
    assert.equal(one.errors.length, 1);
  });
});

describe('a server without JetStream', { timeout: 60_000 }, () => {
  it('is told, and everything else goes on', async () => {
    const plain = await NatsServer.start(program);
    try {
      const one = await joinService({ servers: plain.url });
      const other = await joinService({ servers: plain.url });
      const interest = one.log.follow('room', () => {});
      await interest.ready;
      assert.match(messagesOf(one)[0] ?? '', /JetStream is not enabled.*start it with -js/);
      await assert.rejects(one.log.tail('room'), /JetStream is not enabled/);
      const texts: string[] = [];
      await one.link.listen('live/room', (message) => texts.push(`${Buffer.from(message)}`)).ready;
      other.link.publish('live/room', Buffer.from('hello'));
      await until(() => texts.length === 1, 'it is heard');
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      assert.equal(one.errors.length, 1, 'it is told once');
      assert.deepEqual(one.moves, ['up']);
    } finally {
      await plain.kill();
    }
  });

  it('is asked for nothing by a link without a log', async () => {
    const plain = await NatsServer.start(program);
    try {
      const nats = await outsider(plain.url);
      const asked: string[] = [];
      nats.subscribe('>', { callback: (_, { subject }) => void asked.push(subject) });
      await nats.flush();
      const host = {
        clock: systemClock,
        moved() {},
        rejoined() {},
        errored() {},
      };
      const link = natsBus({ servers: plain.url }).open(host);
      await until(() => link.publish('live/room', Buffer.from('x')), 'it is up');
      await link.listen('live/room', () => {}).ready;
      await link.close();
      await until(() => asked.length > 0, 'the message is there');
      assert.deepEqual(asked, ['mooring.1.live.room']);
    } finally {
      await plain.kill();
    }
  });
});

/** Runs a test with a server that has one user. @param rights - as in its configuration */
async function withRights(rights: string, run: (member: LogMember) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'mooring-nats-'));
  const file = join(folder, 'server.conf');
  const user = `{ user: ada, password: secret, permissions: ${rights} }`;
  await writeFile(file, `authorization { users: [${user}] }\n`);
  const guarded = await JetStreamServer.start(newest, ['-c', file]);
  try {
    const connection = { user: 'ada', pass: 'secret' };
    await run(await joinService({ servers: guarded.url, connection }));
  } finally {
    await guarded.end();
    await rm(folder, { recursive: true });
  }
}

describe('permissions', { timeout: 60_000 }, () => {
  it('that do not suffice are told, and an append waits', async () => {
    await withRights('{ publish: { deny: "$JS.API.>" } }', async (one) => {
      await until(() => one.errors.length > 0, 'it is told');
      assert.match(messagesOf(one).join(), /permissions violation.*\$JS\.API\.STREAM\.INFO/i);
      await assert.rejects(one.log.tail('room'));
      const given = new AbortController();
      const appended = one.log.append('room', entry('a'), given.signal);
      given.abort(new Error('given up'));
      await assert.rejects(appended, /given up/);
      assert.deepEqual(one.moves, ['up']);
    });
  });

  it('that the guide names suffice', async () => {
    const operations = ['STREAM.INFO', 'STREAM.CREATE', 'STREAM.MSG.GET', 'DIRECT.GET'];
    const requests = operations.map((name) => `"$JS.API.${name}.mooring"`);
    const publish = ['"mooring.>"', ...requests].join(', ');
    const rights = `{ publish: [${publish}], subscribe: ["mooring.>", "_INBOX.>"] }`;
    await withRights(rights, async (one) => {
      const start = await startOf(one, 'room');
      const heard = await following(one, 'room');
      for (const id of ['a', 'b']) await append(one, 'room', id);
      await until(() => heard.length === 2, 'both are heard');
      assert.deepEqual(await readTexts(one, 'room', start), ['a', 'b']);
      assert.deepEqual(messagesOf(one), []);
    });
  });
});

describe('a batch', { timeout: 60_000 }, () => {
  it('of which a part was lost on its way is not taken for whole', async () => {
    const plain = await NatsServer.start(program);
    try {
      const [nats, leader] = [await outsider(plain.url), await outsider(plain.url)];
      let left = [1, 3, 4];
      leader.subscribe('$JS.API.DIRECT.GET.mooring', {
        callback: (_, { reply = '' }) => {
          for (const seq of left) {
            const found = headers();
            found.set('Nats-Sequence', `${seq}`);
            found.set('Nats-Last-Sequence', `${seq - 1}`);
            found.set('Nats-Num-Pending', `${4 - seq}`);
            leader.publish(reply, `m${seq}`, { headers: found });
          }
          leader.publish(reply, '', { headers: headers(204, 'EOB') });
        },
      });
      await leader.flush();
      const { signal } = new AbortController();
      const stream = new JetStream(nats, resolveNatsBusOptions({}), systemClock, signal);
      await assert.rejects(
        stream.batch('mooring.1.in.room', 1, 10),
        /a part of a batch is missing/,
      );
      left = [1, 2, 3];
      const whole = await stream.batch('mooring.1.in.room', 1, 10);
      assert.deepEqual(
        whole.messages.map(({ seq }) => seq),
        [1, 2, 3],
      );
    } finally {
      await plain.kill();
    }
  });

  it('from a server that is too old for it has one message', async () => {
    const [oldest = program] = programs;
    const old = await JetStreamServer.start(oldest);
    try {
      const one = await joinService({ servers: old.url });
      for (const id of ['a', 'b', 'c']) await append(one, 'room', id);
      const options = resolveNatsBusOptions({});
      const { signal } = new AbortController();
      const stream = new JetStream(await outsider(old.url), options, systemClock, signal);
      const batch = await stream.batch('mooring.1.in.room', 1, 10);
      const isOld = !stream.hasBatches;
      assert.deepEqual([batch.messages.length, batch.hasMore], isOld ? [1, true] : [3, false]);
    } finally {
      await old.end();
    }
  });
});

describe('a program without Mooring', { timeout: 60_000 }, () => {
  for (const each of new Set([programs[0] ?? newest, newest]))
    it(`may copy the headers of another stream, with nats-server ${each.version}`, async () => {
      const bridged = await JetStreamServer.start(each);
      try {
        const one = await joinService({ servers: bridged.url });
        const heard = await following(one, 'room');
        const start = await startOf(one, 'room');
        await append(one, 'room', 'a');
        const nats = await outsider(bridged.url);
        const copied = headers();
        for (const header of ['Nats-Sequence', 'Nats-Last-Sequence']) copied.set(header, '1');
        copied.set('Nats-Stream', 'ORDERS');
        copied.set('Nats-Subject', 'orders.new');
        copied.set('Nats-Time-Stamp', '2020-01-01T00:00:00Z');
        await nats.request('mooring.1.in.room', 'copied', { headers: copied, timeout: 5_000 });
        await append(one, 'room', 'b');
        await until(() => heard.length === 3, 'all are heard');
        assertChained(heard, 0);
        const read = await readAll(one, 'room', start);
        assert.deepEqual(read.map(placeOf), heard.map(placeOf));
        assert.deepEqual(textsOf(read), ['a', 'copied', 'b']);
      } finally {
        await bridged.end();
      }
    });

  it('appends with a header for the id, or without', async () => {
    const name = nameOfService();
    const [one, other] = [await joinService({ name }), await joinService({ name })];
    const heard = await following(one, 'room/1');
    const start = await startOf(one, 'room/1');
    const nats = await outsider();
    const named = headers();
    named.set('Nats-Msg-Id', 'room%2F1/a');
    for (const payload of ['first', 'again'])
      await nats.request(`${name}.1.in.room%2F1`, payload, { headers: named, timeout: 5_000 });
    const foreign = headers();
    foreign.set('Nats-Msg-Id', 'foreign');
    foreign.set('Mooring-Type', 'binary');
    await nats.request(`${name}.1.in.room%2F1`, 'second', { headers: foreign, timeout: 5_000 });
    await nats.request(`${name}.1.in.room%2F1`, 'third');
    await until(() => heard.length === 3, 'all are heard');
    assert.deepEqual(heard.map(contentOf), [
      { payload: Buffer.from('first'), isBinary: false },
      { payload: Buffer.from('second'), isBinary: true },
      { payload: Buffer.from('third'), isBinary: false },
    ]);
    assertChained(heard, 0);
    // All say the same: who hears, who reads, and who asks for the newest.
    const [first, ...others] = heard.map(copyOf);
    assert.ok(first);
    const read = (await readAll(other, 'room/1', start)).map(copyOf);
    assert.deepEqual(read, [{ ...first, prev: start.offset }, ...others]);
    assert.deepEqual((await other.log.tail('room/1')).newest, placeOf(heard[2] ?? start));
    for (const place of heard.map(placeOf)) await readAll(other, 'room/1', place);
    assert.deepEqual(await append(other, 'room/1', 'a'), {
      place: placeOf(first),
      isDuplicate: true,
    });
    assert.equal(new Set(heard.map(({ tag }) => tag)).size, 3);
  });
});
