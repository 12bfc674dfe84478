import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConflateResult } from '../../src/connection/outbox.ts';
import { frame, type Marks, OutboxBench } from '../support/outbox-bench.ts';
import { turns } from '../support/until.ts';

describe('frames that are kept until the socket has drained', () => {
  const kept = { isConflated: true, replaced: false };
  const newer = { isConflated: true, replaced: true };
  const refused = { isConflated: false, replaced: false };

  function congested(marks?: Marks): OutboxBench {
    const bench = new OutboxBench(marks);
    bench.fill(10_000);
    return bench;
  }

  function keep({ outbox }: OutboxBench, key: string, bytes: Buffer): ConflateResult {
    return outbox.keep({ topic: 'rates', key, frame: bytes });
  }

  it('are the newest of each key, in order of arrival, sent before anything else', async () => {
    const bench = congested();
    const results = [
      keep(bench, 'EUR', frame('eur1')),
      bench.outbox.keep({ topic: 'news', key: '', frame: frame('news') }),
      keep(bench, 'USD', frame('usd1')),
      keep(bench, 'EUR', frame('eur2')),
    ];
    assert.deepEqual(results, [kept, kept, kept, newer]);
    assert.equal(bench.outbox.pendingBytes, 12);
    bench.socket.takeAll();
    const writes = bench.watchWrites();
    await turns(2);
    bench.outbox.send(frame('!'));
    bench.endTurn();
    assert.equal(writes.join(''), 'newsusd1eur2!');
    assert.equal(bench.outbox.pendingBytes, 0);
    assert.deepEqual(bench.log, ['outbox.filled', 'outbox.drained']);
  });

  it('are never kept while there is no backlog', () => {
    assert.deepEqual(keep(new OutboxBench(), 'EUR', frame('eur')), refused);
  });

  it('are limited by the high mark; a replacement needs only the difference', () => {
    const bench = congested({ high: 10_000, low: 5_000 });
    const half = Buffer.alloc(5_000);
    assert.deepEqual(keep(bench, 'a', half), kept);
    assert.deepEqual(keep(bench, 'b', half), kept);
    assert.deepEqual(keep(bench, 'c', frame('x')), refused);
    assert.deepEqual(keep(bench, 'a', half), newer);
    assert.deepEqual(keep(bench, 'b', frame('x')), newer);
    assert.deepEqual(keep(bench, 'c', frame('x')), kept);
  });

  it('may have any length when there is only one', () => {
    const bench = congested({ high: 10_000, low: 5_000 });
    assert.deepEqual(keep(bench, 'a', Buffer.alloc(30_000)), kept);
    assert.deepEqual(keep(bench, 'a', Buffer.alloc(40_000)), newer);
    assert.deepEqual(keep(bench, 'b', frame('x')), refused);
    assert.equal(bench.outbox.pendingBytes, 40_000);
  });

  it('are never outdated: the older one is dropped even when the newer finds no room', async () => {
    const bench = congested({ high: 10_000, low: 5_000 });
    keep(bench, 'other', Buffer.alloc(9_000));
    keep(bench, 'a', frame('old'));
    assert.deepEqual(keep(bench, 'a', Buffer.alloc(2_000)), { isConflated: false, replaced: true });
    assert.equal(bench.outbox.pendingBytes, 9_000);
    bench.socket.takeAll();
    const writes = bench.watchWrites();
    await turns(2);
    bench.endTurn();
    assert.ok(!writes.join('').includes('old'));
  });

  it('leave in portions when there are more than the socket accepts', async () => {
    const bench = congested({ high: 10_000, low: 5_000 });
    for (const key of ['a', 'b', 'c']) keep(bench, key, Buffer.alloc(3_300, key));
    keep(bench, 'd', Buffer.alloc(100, 'd'));
    bench.socket.takeAll();
    await turns(2);
    bench.endTurn();
    assert.deepEqual(bench.log, ['outbox.filled', 'outbox.drained']);
    bench.socket.takeAll();
    await turns(2);
    assert.equal(bench.socket.taken, 20_000 + 10_000);
  });

  it('are dropped when the connection leaves the topic; other topics keep theirs', () => {
    const bench = congested();
    keep(bench, 'EUR', frame('eur'));
    bench.outbox.keep({ topic: 'news', key: 'EUR', frame: frame('news') });
    bench.outbox.forget('rates');
    bench.outbox.forget('never heard of');
    assert.equal(bench.outbox.pendingBytes, 4);
    assert.deepEqual(keep(bench, 'EUR', frame('eur')), kept);
  });

  it('leave before the close frame when the outbox stops and there is room', () => {
    const bench = congested();
    while (bench.socket.writableLength > 90_000) bench.socket.take();
    keep(bench, 'EUR', frame('eur'));
    const writes = bench.watchWrites();
    bench.outbox.stop();
    assert.equal(bench.outbox.pendingBytes, 0);
    bench.socket.takeAll();
    assert.equal(writes.at(-1), 'eur');
  });

  it('are dropped when the outbox stops and the backlog is above the high mark', () => {
    const bench = congested({ high: 10_000, low: 5_000 });
    keep(bench, 'a', Buffer.alloc(8_000));
    bench.outbox.stop();
    assert.equal(bench.outbox.pendingBytes, 0);
    assert.equal(bench.socket.writableLength, 20_000);
  });

  it('leave up to the high mark when the outbox stops, the oldest first', () => {
    const bench = new OutboxBench({ high: 10_000, low: 5_000 });
    bench.fill(4_000);
    bench.socket.take();
    for (const key of ['a', 'b', 'c']) keep(bench, key, Buffer.alloc(1_500, key));
    bench.outbox.stop();
    // 8,000 waited: `a` fits below the mark, and `b` is the one frame that may pass it.
    assert.equal(bench.socket.writableLength, 11_000);
    assert.equal(bench.outbox.pendingBytes, 0);
  });
});
