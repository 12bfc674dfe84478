// Goal: all messages of one turn of the event loop for a member leave in one write and in order, whatever
// else is sent on that socket. Method: raw peers with a strict frame parser, and every write of the server.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Connection } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { crowd, type Member } from '../support/crowd.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

/** What the server has written, by the port of the peer. */
let writes: Map<number | undefined, Buffer[]>;
let service: Service;

function watchWrites({ server }: Service): void {
  writes = new Map();
  server.on('connection', (socket: Socket) => {
    const seen: Buffer[] = [];
    const write = socket.write.bind(socket) as Socket['write'];
    writes.set(socket.remotePort, seen);
    socket.write = ((...args: Parameters<Socket['write']>) => {
      seen.push(args[0] as Buffer);
      return write(...args);
    }) as Socket['write'];
  });
}

function writesTo({ peer }: Member): Buffer[] {
  return writes.get(peer.socket.localPort) ?? [];
}

/** Starts a service and connects members of the topic `all`. */
async function members(
  count: number,
  options: Parameters<typeof Service.start>[0] = {},
): Promise<Member[]> {
  service = await Service.start(options);
  watchWrites(service);
  const all = await crowd(service, count);
  for (const { connection } of all) connection.join('all');
  return all;
}

const textsOf = ({ peer }: Member) => peer.texts.map((text) => JSON.parse(text) as unknown);

describe('one turn of the event loop', () => {
  afterEach(() => service.stop());

  it('sends each member one write, with the same bytes for all of them', async () => {
    const [one, other] = await members(2);
    assert.ok(one && other);
    const { supervisor } = service;
    const before = [writesTo(one).length, writesTo(other).length];
    for (let n = 0; n < 16; n += 1) supervisor.topic('all').publish(n);
    supervisor.broadcast('and all');
    assert.deepEqual([writesTo(one).length, writesTo(other).length], before, 'not yet');
    await turns(2);
    const [first, second] = [one, other].map((member) => writesTo(member).slice(before[0]));
    assert.deepEqual([first?.length, second?.length], [1, 1]);
    assert.equal(first?.[0], second?.[0], 'one buffer, joined once');
    const expected = [...Array.from({ length: 16 }, (_, n) => n), 'and all'];
    for (const member of [one, other]) {
      await until(() => textsOf(member).length === expected.length, 'all has arrived');
      assert.deepEqual(textsOf(member), expected);
    }
  });

  it('gives each member its own bytes when their messages differ', async () => {
    const [one, other] = await members(2);
    assert.ok(one && other);
    const { supervisor } = service;
    other.connection.join('more');
    supervisor.topic('all').publish('a');
    supervisor.topic('more').publish('b');
    other.connection.send('c');
    supervisor.topic('all').publish('d', { except: one.connection });
    supervisor.topic('all').publish('e');
    await until(() => textsOf(other).length === 5 && textsOf(one).length === 2, 'all is there');
    assert.deepEqual(textsOf(one), ['a', 'e']);
    assert.deepEqual(textsOf(other), ['a', 'b', 'c', 'd', 'e']);
  });

  it('never holds back a single message: it is written before the loop turns once', async () => {
    const [one] = await members(1);
    assert.ok(one);
    const before = writesTo(one).length;
    assert.equal(one.connection.send('direct'), 'sent');
    assert.equal(writesTo(one).length, before + 1, 'within the call');
    await turns();
    service.supervisor.topic('all').publish('published');
    await turns();
    assert.equal(writesTo(one).length, before + 2);
  });
});

describe('the order of what one member gets', () => {
  afterEach(() => service.stop());

  const deed = fc.constantFrom('publish', 'other', 'broadcast', 'send', 'sendAndFlush', 'turn');

  it('is the order of the calls, across topics, broadcasts and direct sends', async () => {
    const [one] = await members(1);
    assert.ok(one);
    const { connection } = one;
    connection.join('other');
    const { supervisor } = service;
    let n = 0;
    const next = () => {
      n += 1;
      return n;
    };
    const deeds: Record<string, () => unknown> = {
      publish: () => supervisor.topic('all').publish(next()),
      other: () => supervisor.topic('other').publish(next()),
      broadcast: () => supervisor.broadcast(next()),
      send: () => connection.send(next()),
      sendAndFlush: () => connection.sendAndFlush(next()),
      turn: () => turns(),
    };
    const property = fc.asyncProperty(
      fc.array(deed, { minLength: 10, maxLength: 60 }),
      async (script) => {
        for (const name of script) {
          const done = deeds[name]?.();
          if (name === 'turn') await done;
        }
      },
    );
    await fc.assert(property, { numRuns: 60 });
    assert.ok(n > 500);
    await until(() => textsOf(one).length === n, 'all has arrived');
    assert.deepEqual(
      textsOf(one),
      Array.from({ length: n }, (_, index) => index + 1),
    );
    assert.equal(one.peer.violation, undefined);
  });

  it('puts accepted messages before our close frame, and nothing after it', async () => {
    const [one] = await members(1);
    assert.ok(one);
    const topic = service.supervisor.topic('all');
    for (let n = 0; n < 20; n += 1) topic.publish(n);
    one.connection.close(4000, 'done');
    assert.equal(topic.publish('late').delivered, 0);
    assert.equal(one.connection.send('late'), 'refused');
    await one.peer.finishPolitely();
    assert.deepEqual(
      textsOf(one),
      Array.from({ length: 20 }, (_, n) => n),
    );
    assert.deepEqual(one.peer.closeFrame, { code: 4000, reason: 'done' });
    assert.equal(one.peer.violation, undefined);
  });

  it('puts answers before the echo of a close frame from the same packet', async () => {
    const answer = (connection: Connection, message: unknown) => {
      for (const n of [1, 2, 3]) service.supervisor.broadcast([message, n]);
      connection.send([message, 4]);
    };
    const [one] = await members(1, { onMessage: answer });
    assert.ok(one);
    const frames = [
      buildFrame({ opcode: opcode.text, payload: '"hi"' }),
      buildFrame({ opcode: opcode.close, payload: closePayload(1000, 'bye') }),
    ];
    one.peer.socket.write(Buffer.concat(frames));
    await until(() => one.peer.closeFrame !== undefined, 'it is echoed');
    assert.deepEqual(
      textsOf(one),
      [1, 2, 3, 4].map((n) => ['hi', n]),
    );
    assert.equal(one.peer.violation, undefined);
    one.peer.end();
    const { verdict } = await service.when('connection.closed');
    assert.deepEqual([verdict.cause, verdict.clean], ['peer-close', true]);
  });

  it('puts answers before the pong of a ping that arrived after their question', async () => {
    const [one] = await members(1, {
      onMessage: (connection, message) => {
        connection.send([message, 1]);
        connection.send([message, 2]);
      },
    });
    assert.ok(one);
    const before = one.peer.frames.length;
    const frames = [
      buildFrame({ opcode: opcode.text, payload: '"hi"' }),
      buildFrame({ opcode: opcode.ping, payload: 'fence' }),
    ];
    one.peer.socket.write(Buffer.concat(frames));
    await until(() => one.peer.frames.length === before + 3, 'all is there');
    const kinds = one.peer.frames.slice(before).map((frame) => frame.opcode);
    assert.deepEqual(kinds, [opcode.text, opcode.text, opcode.pong]);
  });
});

describe('sendAndFlush', () => {
  let member: Member;
  beforeEach(async () => {
    const [one] = await members(1, { limits: { outboxHighBytes: 500_000 } });
    assert.ok(one);
    member = one;
  });
  afterEach(() => {
    member.peer.destroy();
    return service.stop();
  });

  /** Whether a promise has settled. */
  async function isSettled(promise: Promise<unknown>): Promise<boolean> {
    await turns(3);
    const pending = Symbol('pending');
    return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
  }

  it('resolves to sent when the operating system has the message', async () => {
    assert.equal(await member.connection.sendAndFlush('hi'), 'sent');
    await until(() => textsOf(member).includes('hi'), 'it arrives');
  });

  it('waits while the peer does not read, and resolves to sent when it does', async () => {
    member.peer.pause();
    await fillBacklog(member.connection, 200_000);
    const flushed = member.connection.sendAndFlush('at last');
    assert.equal(await isSettled(flushed), false);
    member.peer.socket.resume();
    assert.equal(await flushed, 'sent');
    await until(() => textsOf(member).includes('at last'), 'it arrives');
  });

  const ends: Record<string, () => unknown> = {
    'is terminated': () => member.connection.terminate(),
    'is reset by its peer': () => member.peer.reset(),
  };
  for (const [how, end] of Object.entries(ends)) {
    it(`resolves to lost when the connection ${how} first`, async () => {
      member.peer.pause();
      await fillBacklog(member.connection, 200_000);
      const flushed = member.connection.sendAndFlush('never');
      assert.equal(await isSettled(flushed), false);
      end();
      assert.equal(await flushed, 'lost');
      await service.when('connection.closed');
    });
  }

  it('resolves to sent for frames that the operating system accepted before terminate', async () => {
    const flushed = member.connection.sendAndFlush('last word');
    member.connection.terminate();
    assert.equal(await flushed, 'sent');
    await until(() => textsOf(member).includes('last word'), 'it arrives');
    const { verdict } = await service.when('connection.closed');
    assert.deepEqual([verdict.cause, verdict.error], ['terminate', undefined]);
  });

  it('resolves to refused when congested, and when closed', async () => {
    const { connection, peer } = member;
    peer.pause();
    while (connection.send('x'.repeat(65_536)) !== 'refused') await turns();
    assert.equal(await connection.sendAndFlush('no'), 'refused');
    connection.terminate();
    assert.equal(await connection.sendAndFlush('no'), 'refused');
  });
});
