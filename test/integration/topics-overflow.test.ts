// Goal: each topic decides what a slow member misses, and reports everything that is missed. Method: a
// member that does not read beside one that does, on real sockets.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { messageFrame } from '../../src/core/frame.ts';
import type { TopicOptions } from '../../src/index.ts';
import { crowd, type Member } from '../support/crowd.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

interface Quote {
  readonly symbol: string;
  readonly price: number;
}

const limits = { outboxHighBytes: 100_000, outboxLowBytes: 20_000 };
const FILLER = 'x'.repeat(20_000);
const CLOSE_FRAME_BYTES_MAX = 127;
const keyOf = (message: unknown) => (message as Quote).symbol;

let service: Service;
let slow: Member;
let quick: Member;

/** Two members of the topic `quotes`, one of which is congested. */
async function start(): Promise<void> {
  service = await Service.start({ limits, timeouts: { closeMs: 300 } });
  const [first, second] = await crowd(service, 2);
  assert.ok(first && second);
  [slow, quick] = [first, second];
  for (const { connection } of [slow, quick]) connection.join('quotes');
  slow.peer.pause();
  await until(() => {
    slow.connection.send(FILLER);
    return slow.connection.flow === 'congested';
  }, 'it is congested');
  // The kernel may still accept some of it.
  for (let calm = 0; calm < 5; calm = slow.connection.flow === 'congested' ? calm + 1 : 0) {
    slow.connection.send(FILLER);
    await turns(5);
  }
}

function topic(options?: TopicOptions<unknown>) {
  return service.supervisor.topic('quotes', options);
}

const quotesOf = ({ peer }: Member) =>
  peer.texts.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text) as Quote);

describe('a topic with a member that is congested', () => {
  afterEach(() => {
    slow.peer.destroy();
    return service.stop();
  });

  it('drops new messages by default, and counts them', async () => {
    await start();
    const quote = { symbol: 'EUR', price: 1 };
    assert.deepEqual(topic().publish(quote), {
      delivered: 1,
      kept: 0,
      dropped: 1,
      forwarded: false,
    });
    assert.deepEqual([topic().droppedMessages, slow.connection.droppedMessages], [1, 1]);
    slow.peer.socket.resume();
    await until(() => slow.connection.flow === 'flowing', 'it flows again');
    const next = { symbol: 'EUR', price: 2 };
    assert.deepEqual(topic().publish(next), {
      delivered: 2,
      kept: 0,
      dropped: 0,
      forwarded: false,
    });
    await until(() => quotesOf(slow).length === 1 && quotesOf(quick).length === 2, 'all arrives');
    assert.deepEqual([quotesOf(slow), quotesOf(quick)], [[next], [quote, next]]);
  });

  it('latest: keeps the newest of each key and sends it once the member has caught up', async () => {
    await start();
    const quotes = topic({ overflow: 'latest', keyOf });
    const published = [
      { symbol: 'EUR', price: 1 },
      { symbol: 'USD', price: 2 },
      { symbol: 'EUR', price: 3 },
    ];
    for (const quote of published) {
      assert.deepEqual(quotes.publish(quote), {
        delivered: 1,
        kept: 1,
        dropped: 0,
        forwarded: false,
      });
    }
    assert.deepEqual([quotes.droppedMessages, slow.connection.droppedMessages], [1, 1]);
    assert.deepEqual(quotesOf(slow), []);
    slow.peer.socket.resume();
    await until(() => slow.connection.flow === 'flowing', 'it flows again');
    quotes.publish({ symbol: 'EUR', price: 4 });
    await until(() => quotesOf(slow).length === 3, 'what was kept arrives');
    assert.deepEqual(
      quotesOf(slow).map(({ price }) => price),
      [2, 3, 4],
    );
    await until(() => quotesOf(quick).length === 4, 'the other got everything');
  });

  it('latest: keeps as much as the high mark allows, and drops the rest', async () => {
    await start();
    const quotes = topic({ overflow: 'latest', keyOf });
    const filler = 'y'.repeat(30_000);
    const kept = ['a', 'b', 'c', 'd'].map(
      (symbol) => quotes.publish({ symbol, price: 1, filler }).kept,
    );
    assert.deepEqual(kept, [1, 1, 1, 0]);
    assert.equal(quotes.droppedMessages, 1);
    assert.ok(slow.connection.bufferedBytes < 3 * limits.outboxHighBytes);
  });

  it('latest: two topics may use the same key', async () => {
    await start();
    slow.connection.join('rates');
    const rates = service.supervisor.topic('rates', { overflow: 'latest', keyOf });
    assert.equal(topic({ overflow: 'latest', keyOf }).publish({ symbol: 'EUR', price: 1 }).kept, 1);
    assert.equal(rates.publish({ symbol: 'EUR', price: 2 }).kept, 1);
    assert.equal(slow.connection.droppedMessages, 0);
    slow.peer.socket.resume();
    await until(() => quotesOf(slow).length === 2, 'both arrive');
  });

  it('latest: never writes the kept messages on top of a full backlog at close', async () => {
    await start();
    const message = { symbol: 'EUR', price: 1, filler: 'x'.repeat(90_000) };
    assert.equal(topic({ overflow: 'latest', keyOf }).publish(message).kept, 1);
    slow.connection.close(4000, 'enough');
    const { bufferedBytes } = slow.connection;
    const boundBytes = limits.outboxHighBytes + messageFrame(JSON.stringify(FILLER)).length;
    assert.ok(bufferedBytes > limits.outboxHighBytes, `${bufferedBytes} bytes wait`);
    assert.ok(bufferedBytes <= boundBytes + CLOSE_FRAME_BYTES_MAX, `${bufferedBytes} bytes wait`);
    slow.peer.socket.resume();
    await slow.peer.finishPolitely();
    const { verdict } = await service.when('connection.closed');
    assert.equal(verdict.clean, true);
    assert.deepEqual(quotesOf(slow), []);
  });

  it('latest: sends nothing more of a topic that the member has left', async () => {
    await start();
    slow.connection.join('rates');
    topic({ overflow: 'latest', keyOf }).publish({ symbol: 'EUR', price: 1 });
    const rates = service.supervisor.topic('rates', { overflow: 'latest', keyOf });
    rates.publish({ symbol: 'EUR', price: 2 });
    slow.connection.leave('quotes');
    slow.peer.socket.resume();
    await until(() => slow.connection.flow === 'flowing', 'it flows again');
    slow.connection.send({ symbol: 'end', price: 0 });
    await until(() => quotesOf(slow).at(-1)?.symbol === 'end', 'all has arrived');
    assert.deepEqual(
      quotesOf(slow).map(({ price }) => price),
      [2, 0],
    );
  });

  it('latest: throws for a wrong key at the publisher, and for an invalid message before it', async () => {
    await start();
    const asSymbol = topic({ overflow: 'latest', keyOf });
    const keyless = {
      code: 'invalid-message',
      message: /keyOf of topic quotes must return a string/,
    };
    assert.throws(() => asSymbol.publish({ price: 1 }), keyless);
    assert.throws(() => asSymbol.publish(undefined), { code: 'unencodable-message' });
    assert.equal(slow.connection.droppedMessages, 0);
  });

  it('close: closes the member with 1013, so that it can reconnect and start afresh', async () => {
    await start();
    const quote = { symbol: 'EUR', price: 1 };
    const published = topic({ overflow: 'close' }).publish(quote);
    assert.deepEqual(published, { delivered: 1, kept: 0, dropped: 1, forwarded: false });
    assert.equal(slow.connection.state, 'closing');
    assert.equal(topic().size, 1);
    slow.peer.socket.resume();
    await slow.peer.finishPolitely();
    const { verdict } = await service.when('connection.closed');
    const { code, cause, origin, clean } = verdict;
    assert.deepEqual([code, cause, origin, clean], [1013, 'slow-consumer', 'local', true]);
    assert.deepEqual(slow.peer.closeFrame, { code: 1013, reason: 'too slow' });
  });

  it('may exclude members by their state', async () => {
    await start();
    const where = ({ flow }: { flow: string }) => flow === 'flowing';
    const published = topic().publish({ symbol: 'EUR', price: 1 }, { where });
    assert.deepEqual(published, { delivered: 1, kept: 0, dropped: 0, forwarded: false });
    assert.equal(slow.connection.droppedMessages, 0);
  });
});

describe('a topic that closes members that are congested', () => {
  it('reports one after the other, whatever is published in response', async () => {
    const MEMBERS = 300;
    service = await Service.start({ limits: { ...limits, outboxHighBytes: 20_000 } });
    const members = await crowd(service, MEMBERS);
    for (const { connection, peer } of members) {
      connection.join('quotes');
      peer.pause();
      // More than the kernel accepts, at once.
      while (connection.send(FILLER.repeat(20)) !== 'refused');
    }
    let depth = 0;
    let deepest = 0;
    service.supervisor.events$.subscribe(({ type }) => {
      if (type !== 'connection.closing') return;
      depth += 1;
      deepest = Math.max(deepest, depth);
      service.supervisor.broadcast('somebody left');
      depth -= 1;
    });
    const { dropped } = topic({ overflow: 'close' }).publish('hi');
    assert.equal(dropped, MEMBERS);
    assert.equal(deepest, 1);
    assert.equal(service.of('connection.closing').length, MEMBERS);
    for (const { peer } of members) peer.destroy();
    await until(() => service.of('connection.closed').length === MEMBERS, 'each has its end');
    await service.stop();
  });
});

describe('the options of a topic', () => {
  it('are checked at once, and each wrong one is named', async () => {
    service = await Service.start();
    const wrong: [object, RegExp][] = [
      [{ overflow: 'block' }, /options\.overflow/],
      [{ overflow: 'latest', keyOf: 'symbol' }, /options\.keyOf/],
      [{ keyOf }, /options\.keyOf: has an effect only with overflow 'latest'/],
      [{ overfow: 'close' }, /overfow/],
    ];
    for (const [options, message] of wrong) {
      const name = JSON.stringify(options);
      assert.throws(() => topic(options), { code: 'invalid-options', message }, name);
    }
    await service.stop();
  });

  it('belong to the handle: the members are shared', async () => {
    service = await Service.start();
    const [member] = await crowd(service, 1);
    member?.connection.join('quotes');
    assert.equal(topic({ overflow: 'latest', keyOf }).size, 1);
    assert.equal(topic({ overflow: 'close' }).size, 1);
    await service.stop();
  });
});
