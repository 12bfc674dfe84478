// Goal: only what `sends` makes of a message leaves the process, on every path, and a publication is checked once.
// Method: rows with a secret field, schemas of four libraries that count their calls, and every frame.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { of } from 'rxjs';
import { z } from 'zod';
import { createPool } from '../../src/client/index.ts';
import type { StandardSchemaV1, SupervisorOptions } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { crowd, type Member } from '../support/crowd.ts';
import { Dialing } from '../support/dialing.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { row, schemaLibraries, sentRow } from '../support/schema-libraries.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = new Stops();
afterEach(() => stops.all());

/** The same schema, and how often it was called. */
function counted<Input, Output>(schema: StandardSchemaV1<Input, Output>) {
  const { validate, ...rest } = schema['~standard'];
  const counter = { calls: 0 };
  const schemaThatCounts: StandardSchemaV1<Input, Output> = {
    '~standard': {
      ...rest,
      validate(value) {
        counter.calls += 1;
        return validate(value);
      },
    },
  };
  return { schema: schemaThatCounts, counter };
}

type Options = SupervisorOptions<unknown, unknown, unknown>;

async function serve(count: number, options: Options): Promise<[Service, Member[]]> {
  const service = await stops.service(options);
  const members = await crowd(service, count);
  for (const { connection } of members) connection.join('rows');
  return [service, members];
}

/** What a peer received, once it has this many messages. */
async function textsOf({ peer }: Member, count: number): Promise<unknown[]> {
  await until(() => peer.texts.length >= count, `${count} messages arrive`);
  assert.deepEqual(
    peer.texts.filter((text) => text.includes('s3cret')),
    [],
  );
  return peer.texts.map((text) => JSON.parse(text) as unknown);
}

for (const [name, library] of Object.entries(schemaLibraries)) {
  describe(`sends with ${name}`, () => {
    it('sends its output: send, sendAndFlush, publish, broadcast and an Observable', async () => {
      const { schema, counter } = counted(library.row);
      const [{ supervisor }, [one, other]] = await serve(2, { sends: schema });
      assert.ok(one && other);
      one.connection.send(row);
      assert.equal(await one.connection.sendAndFlush(row), 'sent');
      assert.equal(counter.calls, 2);
      supervisor.topic('rows').publish(row);
      supervisor.broadcast(row);
      of(row).subscribe(supervisor.topic('rows'));
      assert.equal(counter.calls, 5, 'once for each publication, whoever receives it');
      assert.deepEqual(await textsOf(one, 5), Array(5).fill(sentRow));
      assert.deepEqual(await textsOf(other, 3), Array(3).fill(sentRow));
    });

    it('passes its output to keyOf and messages$, and runs once for all', async () => {
      const { schema, counter } = counted(library.row);
      const [{ supervisor }] = await serve(2, { sends: schema });
      const seen: unknown[] = [];
      const keyOf = (message: unknown) => {
        seen.push(message);
        return 'key';
      };
      const rows = supervisor.topic('rows', { overflow: 'latest', keyOf });
      rows.messages$.subscribe((message) => seen.push(message));
      supervisor.topic('rows').messages$.subscribe((message) => seen.push(message));
      rows.publish(row);
      assert.deepEqual(seen, [sentRow, sentRow, sentRow]);
      assert.equal(seen[0], seen[1], 'the very same object');
      assert.equal(counter.calls, 1);
    });

    it('delivers the output of messages', async () => {
      const service = await stops.service({ messages: library.row });
      const [member] = await crowd(service, 1);
      member?.peer.json(row);
      await until(() => service.messages.length === 1, 'it is delivered');
      assert.deepEqual(service.messages, [sentRow]);
    });

    it('sends its output from a client: at once, from its queue, and through its connection', async () => {
      const service = await stops.service({});
      const { schema, counter } = counted(library.row);
      const dialing = new Dialing(service.url, { sends: schema });
      stops.add(() => dialing.client.close());
      assert.equal(dialing.client.send(row), 'queued');
      const flushed = dialing.client.sendAndFlush(row);
      await dialing.up();
      assert.equal(await flushed, 'sent');
      dialing.client.send(row);
      dialing.client.connection?.send(row);
      await dialing.client.connection?.sendAndFlush(row);
      await until(() => service.messages.length === 5, 'all have arrived');
      assert.deepEqual(service.messages, Array(5).fill(sentRow));
      assert.equal(counter.calls, 5);
    });

    it('sends its output from a pool', async () => {
      const service = await stops.service({});
      const pool = createPool([service.url], { size: 1, sends: library.row });
      stops.add(() => pool.drain({ withinMs: 500 }));
      await until(() => pool.status.open === 1, 'it is open');
      pool.checkout()?.send(row);
      await pool.checkout()?.sendAndFlush(row);
      await until(() => service.messages.length === 2, 'both have arrived');
      assert.deepEqual(service.messages, [sentRow, sentRow]);
    });
  });
}

const late = Object.entries(schemaLibraries).filter(([, { saysAsync }]) => !saysAsync);

for (const [name, { asynchronous }] of late) {
  describe(`an async check of ${name}`, () => {
    let watch: ProcessWatch;

    beforeEach(() => {
      watch = new ProcessWatch();
    });

    afterEach(async () => {
      await turns(3);
      await watch.assertQuiet();
      watch.stop();
    });

    it('is an error of every sending method, and nothing is sent', async () => {
      const sends = asynchronous(async () => {
        throw new Error('the database is gone');
      });
      const service = await stops.service({ sends });
      const [member] = await crowd(service, 1);
      assert.ok(member);
      const isAsync = { code: 'invalid-options', message: /^options\.sends: .* is async/ };
      const topic = service.supervisor.topic('rows');
      assert.throws(() => topic.publish('text'), isAsync);
      assert.throws(() => service.supervisor.broadcast('text'), isAsync);
      assert.throws(() => member.connection.send('text'), isAsync);
      await assert.rejects(member.connection.sendAndFlush('text'), isAsync);
      topic.next('text');
      const [errored] = service.of('handler.errored');
      assert.equal(errored?.handler, 'topic');
      assert.match(errored?.error.message ?? '', /^options\.sends: /);
      assert.deepEqual(member.peer.texts, []);
    });

    it('is reported for a message, and ends the connection that sent it', async () => {
      const messages = asynchronous(async () => {
        throw new Error('the database is gone');
      });
      const service = await stops.service({ messages });
      const [member] = await crowd(service, 1);
      member?.peer.json('text');
      const { handler, error } = await service.when('handler.errored');
      assert.equal(handler, 'messages');
      assert.match(error.message, /^options\.messages: .* is async; do async work in onMessage$/);
      await member?.peer.finishPolitely();
      const { verdict } = await service.when('connection.closed');
      assert.deepEqual([verdict.sent?.code, verdict.cause], [1011, 'handler-error']);
      assert.deepEqual(service.messages, []);
    });
  });
}

describe('sends', () => {
  it('keeps its output for a member that is congested', async () => {
    const sends = z.object({ id: z.number(), filler: z.string().optional() });
    const limits = { outboxHighBytes: 100_000, outboxLowBytes: 50_000 };
    const [service, [slow]] = await serve(1, { sends, limits });
    assert.ok(slow);
    slow.peer.pause();
    const filler = { id: 0, filler: 'x'.repeat(65_536) };
    const { connection } = slow;
    await fillBacklog(
      {
        get bufferedBytes() {
          return connection.bufferedBytes;
        },
        send: () => connection.send(filler),
      },
      limits.outboxHighBytes,
    );
    const rows = service.supervisor.topic('rows', { overflow: 'latest' });
    assert.deepEqual(rows.publish(row), { delivered: 0, kept: 1, dropped: 0, forwarded: false });
    slow.peer.socket.resume();
    await until(() => slow.connection.flow === 'flowing', 'it flows again');
    connection.send({ id: 2 });
    await until(() => slow.peer.texts.at(-1) === '{"id":2}', 'everything has arrived');
    assert.equal(slow.peer.texts.at(-2), '{"id":1}');
  });

  it('reports the original of a message that a queue dropped, so that you can send it again', async () => {
    const sends = z.object({ id: z.number() });
    const dialing = new Dialing('ws://127.0.0.1:1/', { sends, queueMax: 1 });
    stops.add(() => dialing.client.close());
    dialing.client.send(row);
    dialing.client.send({ id: 2 });
    const [event] = dialing.events;
    assert.deepEqual(event, { type: 'message.dropped', message: row, reason: 'queue-full' });
  });

  it("never checks Mooring's own answer to an invalid message", async () => {
    const { schema, counter } = counted(z.object({ id: z.number() }));
    const service = await stops.service({ sends: schema, messages: z.number() });
    const [member] = await crowd(service, 1);
    member?.peer.json('text');
    await until(() => member?.peer.texts.length === 1, 'the peer is notified');
    assert.equal(JSON.parse(member?.peer.texts[0] ?? '').code, 'invalid-message');
    assert.equal(counter.calls, 0);
  });
});
