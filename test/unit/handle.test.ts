import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConnectionState, RenewOptions } from '../../src/core/connection.ts';
import { MooringError } from '../../src/core/errors.ts';
import { messageFrame } from '../../src/core/frame.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import { InboundHandle, type InboundHandleParts } from '../../src/server/inbound-handle.ts';

const states: readonly ConnectionState[] = ['open', 'errored', 'closing', 'closed'];

/** A handle over a connection that records each call and returns `answer`. */
function bench(state: ConnectionState = 'open', answer = true, isReachable = true) {
  const asked: unknown[][] = [];
  const note = (...what: unknown[]) => {
    asked.push(what);
    return answer;
  };
  const outbox = {
    isCongested: true,
    send: (frame: Buffer) => {
      note('send', frame.subarray(2).toString());
      return 'sent';
    },
    sendAndFlush: async (frame: Buffer) => {
      note('sendAndFlush', frame.subarray(2).toString());
      return 'lost';
    },
  };
  const transport = { subprotocol: 'chat', bufferedBytes: 7 };
  const connection = {
    id: 'c1',
    address: '192.0.2.1',
    path: '/ws',
    state,
    states: [state],
    openedAt: 1_700_000_000_000,
    verdict: state === 'closed' ? { code: 1000 } : undefined,
    transport,
    close: (...args: unknown[]) => note('close', ...args),
    end: (...args: unknown[]) => note('end', ...args),
    terminate: () => note('terminate'),
    side: {
      key: 'ann',
      peer: { name: 'Ann' },
      dropped: 3,
      topics: new Set(['lobby', 'prices']),
      transport,
      isCongested: isReachable,
      pendingBytes: isReachable ? 5 : 0,
      outbox: isReachable ? outbox : null,
    },
  };
  const parts = {
    broadcaster: {
      frame: (message: string) => {
        if (message === 'wrong') throw new MooringError('invalid-message', 'wrong');
        return messageFrame(message);
      },
      join: (_connection: unknown, topic: string) => note('join', topic),
      leave: (_connection: unknown, topic: string) => note('leave', topic),
    },
    authentication: {
      renew: (_connection: unknown, peer: unknown, options: RenewOptions) =>
        note('renew', peer, options),
    },
    reporter: { errored: () => {} },
  };
  const handle = new InboundHandle<unknown, unknown, string>(
    connection as unknown as InboundConnection,
    parts as unknown as InboundHandleParts<unknown, unknown, string>,
  );
  return { handle, asked, connection };
}

describe('InboundHandle', () => {
  it('shows the data of the connection', () => {
    const { handle } = bench();
    const { id, key, address, path, peer, subprotocol, state, topics } = handle;
    assert.deepEqual([id, key, address, path], ['c1', 'ann', '192.0.2.1', '/ws']);
    assert.deepEqual([peer, subprotocol, state], [{ name: 'Ann' }, 'chat', 'open']);
    assert.deepEqual(
      [handle.states, handle.openedAt, handle.verdict],
      [['open'], 1_700_000_000_000, undefined],
    );
    assert.deepEqual([handle.bufferedBytes, handle.droppedMessages], [12, 3]);
    assert.deepEqual(topics, ['lobby', 'prices']);
  });

  it('returns a copy of the topics', () => {
    const { handle, connection } = bench();
    (handle.topics as string[]).push('more');
    assert.equal(connection.side.topics.size, 2);
  });

  for (const state of states) {
    it(`${state}: closes with 1000 and no reason by default`, () => {
      const { handle, asked } = bench(state);
      handle.close();
      handle.close(4001);
      handle.close(3000, 'bye');
      assert.deepEqual(asked, [
        ['close', 'close', { code: 1000, reason: '' }],
        ['close', 'close', { code: 4001, reason: '' }],
        ['close', 'close', { code: 3000, reason: 'bye' }],
      ]);
    });

    it(`${state}: throws for a wrong close code or reason, and never calls the port`, () => {
      const { handle, asked } = bench(state);
      const invalid = { name: 'MooringError', code: 'invalid-close' };
      for (const code of [
        0,
        999,
        1004,
        1005,
        1006,
        1015,
        2000,
        5000,
        1000.5,
        Number.NaN,
        '1000',
        null,
      ]) {
        assert.throws(() => handle.close(code as number), invalid, String(code));
      }
      for (const reason of [null, 7, {}, Buffer.from('bye')]) {
        assert.throws(() => handle.close(1000, reason as string), invalid);
      }
      assert.deepEqual(asked, []);
    });
  }

  it('cuts a reason that is too long', () => {
    const { handle, asked } = bench();
    handle.close(1000, '€'.repeat(100));
    assert.deepEqual(asked, [['close', 'close', { code: 1000, reason: '€'.repeat(41) }]]);
  });

  it('returns what the connection returns', () => {
    for (const answer of [true, false]) {
      const { handle } = bench('open', answer);
      const answers = [
        handle.close(),
        handle.fail(1),
        handle.terminate(),
        handle.join('a'),
        handle.leave('a'),
      ];
      assert.deepEqual(answers, [answer, answer, answer, answer, answer]);
    }
  });

  it('joins a topic without options, and refuses options', () => {
    const { handle, asked } = bench();
    const join = (...given: unknown[]) => handle.join(...(given as [string]));
    const message = 'options.history: unknown option';
    assert.throws(() => join('lobby', { history: true }), { code: 'invalid-options', message });
    assert.deepEqual(asked, []);
    assert.deepEqual(['a', 'b'].map(join), [true, true]);
  });

  it('fails with an Error, whatever it is given', () => {
    const { handle, asked } = bench();
    const error = new Error('boom');
    handle.fail(error);
    handle.fail('text');
    handle.fail(undefined);
    assert.equal(asked[0]?.[2], error);
    assert.deepEqual(
      asked.map(([what, cause, thrown]) => [what, cause, (thrown as Error).message]),
      [
        ['end', 'fail', 'boom'],
        ['end', 'fail', 'non-error thrown: text'],
        ['end', 'fail', 'non-error thrown: undefined'],
      ],
    );
  });

  it('sends a message as a frame, and throws for an invalid one', async () => {
    const { handle, asked } = bench();
    assert.equal(handle.send('hi'), 'sent');
    assert.equal(await handle.sendAndFlush('ho'), 'lost');
    assert.throws(() => handle.send('wrong'), { code: 'invalid-message' });
    await assert.rejects(handle.sendAndFlush('wrong'), { code: 'invalid-message' });
    assert.deepEqual(asked, [
      ['send', 'hi'],
      ['sendAndFlush', 'ho'],
    ]);
  });

  it('reports whether the peer reads what it is sent', () => {
    assert.equal(bench().handle.flow, 'congested');
    assert.equal(bench('closing', true, false).handle.flow, 'flowing');
  });

  it('refuses to send what can no longer leave', async () => {
    const { handle } = bench('closing', true, false);
    assert.equal(handle.send('hi'), 'refused');
    assert.equal(await handle.sendAndFlush('hi'), 'refused');
  });
});

describe('the messages of an InboundHandle', () => {
  it('reach everybody who subscribed before them, and complete', () => {
    const { handle } = bench();
    const seen: unknown[] = [];
    handle.deliver('to nobody');
    handle.messages$.subscribe({
      next: (message) => seen.push(message),
      complete: () => seen.push('end'),
    });
    handle.deliver('first');
    handle.messages$.subscribe((message) => seen.push(message));
    handle.deliver('second');
    handle.complete();
    handle.deliver('late');
    assert.deepEqual(seen, ['first', 'second', 'second', 'end']);
  });

  it('are one stream, created at the first access', () => {
    const { handle } = bench();
    assert.equal(handle.messages$, handle.messages$);
    assert.doesNotThrow(() => bench().handle.complete());
  });

  it('complete at once on a closed connection', () => {
    const { handle } = bench('closed');
    const seen: unknown[] = [];
    handle.messages$.subscribe({ complete: () => seen.push('end') });
    assert.deepEqual(seen, ['end']);
  });
});
