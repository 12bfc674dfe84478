import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { SupervisorOptions } from '../../src/index.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

const COUNT = 300;
const numbers = Array.from({ length: COUNT }, (_, index) => index);

const text = (payload: string) => buildFrame({ opcode: opcode.text, payload });

/** Every number as a separate message. */
const whole = Buffer.concat(numbers.map((number) => text(String(number))));

/** The same messages, each in three fragments with a ping between them. */
const fragmented = Buffer.concat(
  numbers.flatMap((number) => [
    buildFrame({ opcode: opcode.text, payload: '', fin: false }),
    buildFrame({ opcode: opcode.continuation, payload: String(number), fin: false }),
    ...(number % 30 === 0 ? [buildFrame({ opcode: opcode.ping })] : []),
    buildFrame({ opcode: opcode.continuation, payload: ' ' }),
  ]),
);

interface Welcome {
  readonly title: string;
  readonly onOpen: () => unknown;
}

const welcomes: readonly Welcome[] = [
  { title: 'sync onOpen', onOpen: () => {} },
  { title: 'onOpen that resolves at once', onOpen: async () => {} },
  { title: 'onOpen that takes some turns', onOpen: () => turns(5) },
];

describe('first messages', () => {
  let service: Service;
  afterEach(() => service.stop());

  /** Starts a service that records when `onOpen` has settled and which messages arrived when. */
  async function start({ onOpen }: Welcome, options: Options = {}) {
    const diary: unknown[] = [];
    service = await Service.start({
      ...options,
      onOpen: (connection) => {
        const result = onOpen();
        connection.messages$.subscribe((message) => diary.push(`$${message}`));
        const settled = () => void diary.push('settled');
        return result instanceof Promise ? result.then(settled) : settled();
      },
      onMessage: (_connection, message) => diary.push(message),
    });
    return diary;
  }

  function assertAllAfterWelcome(diary: readonly unknown[]) {
    assert.deepEqual(diary, ['settled', ...numbers.flatMap((number) => [number, `$${number}`])]);
  }

  for (const welcome of welcomes) {
    for (const [packet, trailing] of Object.entries({ whole, fragmented })) {
      it(`A12: ${COUNT} ${packet} messages in the packet of the request, ${welcome.title}`, async () => {
        const diary = await start(welcome);
        const peer = await RawPeer.open(service.port, { trailing });
        await until(() => diary.length === 2 * COUNT + 1, 'all are delivered');
        assertAllAfterWelcome(diary);
        assert.equal(peer.closeFrame, undefined);
      });
    }

    it(`A12: ${COUNT} messages behind a slow authenticate, ${welcome.title}`, async () => {
      const diary = await start(welcome, {
        authenticate: () => turns(5).then(() => 'somebody'),
      });
      await RawPeer.open(service.port, { trailing: whole });
      await until(() => diary.length === 2 * COUNT + 1, 'all are delivered');
      assertAllAfterWelcome(diary);
    });

    it(`A12: request and messages byte by byte, ${welcome.title}`, async () => {
      const diary = await start(welcome);
      const accepted = once(service.server, 'connection');
      const peer = await RawPeer.connect(service.port);
      const [raw] = (await accepted) as [Socket];
      const bytes: Buffer[] = [];
      const { write } = peer.socket;
      peer.socket.write = (chunk: unknown) => bytes.push(chunk as Buffer) > 0;
      peer.request({ trailing: whole });
      peer.socket.write = write;
      for (const byte of Buffer.concat(bytes)) {
        const read = raw.bytesRead;
        peer.socket.write(Buffer.from([byte]));
        while (raw.bytesRead === read) await turns();
      }
      await until(() => diary.length === 2 * COUNT + 1, 'all are delivered');
      assertAllAfterWelcome(diary);
      assert.equal(peer.closeFrame, undefined);
    });

    it(`B17: messages and a close frame in the packet of the request, ${welcome.title}`, async () => {
      const diary = await start(welcome);
      const close = buildFrame({ opcode: opcode.close, payload: closePayload(1001, 'bye') });
      const peer = await RawPeer.open(service.port, { trailing: Buffer.concat([whole, close]) });
      await service.closedAs({ code: 1001, reason: 'bye', clean: true, level: 'info' });
      assertAllAfterWelcome(diary);
      assert.deepEqual(peer.closeFrame, { code: 1001, reason: 'bye' });
    });

    it(`D03d: messages and a FIN right behind the request, ${welcome.title}`, async () => {
      const diary = await start(welcome);
      const peer = await RawPeer.connect(service.port, { allowHalfOpen: true });
      peer.request({ trailing: whole });
      peer.end();
      await service.closedAs({ code: 1006, cause: 'tcp-fin', clean: false, level: 'info' });
      assertAllAfterWelcome(diary);
      peer.destroy();
    });
  }

  it('nothing is delivered while onOpen runs, however much arrives', async () => {
    let settle = () => {};
    const diary = await start({
      title: '',
      onOpen: () =>
        new Promise<void>((resolve) => {
          settle = resolve;
        }),
    });
    const peer = await RawPeer.open(service.port);
    const long = JSON.stringify('x'.repeat(50_000));
    for (let count = 0; count < 100; count += 1) peer.text(long);
    await until(
      () => peer.socket.writableLength === 0 || peer.socket.writableNeedDrain,
      'it is sent',
    );
    await turns(20);
    assert.deepEqual(diary, []);
    assert.deepEqual(service.messages, []);
    settle();
    await until(() => service.messages.length === 100, 'all are delivered');
    assert.equal(diary[0], 'settled');
  });

  it('a subscriber that arrives after an await of onOpen misses nothing', async () => {
    const heard: unknown[] = [];
    service = await Service.start({
      onOpen: async (connection) => {
        await turns(5);
        connection.messages$.subscribe((message) => heard.push(message));
        await turns(5);
      },
    });
    await RawPeer.open(service.port, { trailing: whole });
    await until(() => heard.length === COUNT, 'all have arrived');
    assert.deepEqual(heard, numbers);
  });

  it('a subscriber that arrives with the first message gets that message, too', async () => {
    const heard: unknown[] = [];
    let subscribed = false;
    service = await Service.start({
      onMessage: (connection) => {
        if (!subscribed) connection.messages$.subscribe((message) => heard.push(message));
        subscribed = true;
      },
    });
    await RawPeer.open(service.port, { trailing: whole });
    await until(() => heard.length === COUNT, 'all have arrived');
    assert.deepEqual(heard, numbers);
  });

  for (const [title, end] of [
    ['closes it', (connection) => connection.close(4000)],
    ['terminates it', (connection) => connection.terminate()],
    ['fails it', (connection) => connection.fail(new Error('no'))],
  ] satisfies [string, Required<Options>['onOpen']][]) {
    it(`nothing is delivered when onOpen ${title}, sync or async`, async () => {
      for (const when of ['sync', 'async'] as const) {
        service = await Service.start({
          onOpen: async (connection) => {
            if (when === 'async') await turns(3);
            end(connection);
          },
        });
        const peer = await RawPeer.open(service.port, { trailing: whole });
        await peer.finishPolitely();
        await service.when('connection.closed');
        await turns(5);
        assert.deepEqual(service.messages, []);
        await service.stop();
      }
    });
  }
});
