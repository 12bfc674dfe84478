// Goal: whatever user code does, and whenever a connection dies, a client continues, reports what happened, and
// loses no message without a report. Method: options and subscribers that throw, return nonsense or act at once.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { finalize } from 'rxjs';
import { z } from 'zod';
import { type NodeClientOptions, privateCodes } from '../../src/client/index.ts';
import { Dialing } from '../support/dialing.ts';
import { accepting, closeFrame } from '../support/rogue-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

const backoff = { minMs: 20, maxMs: 40, stableMs: 100 };

const stops = stopsAndWatch();

function dial(port: number, options: NodeClientOptions = {}): Dialing {
  const timeouts = { closeMs: 200 };
  const dialing = new Dialing(`ws://127.0.0.1:${port}/ws`, { backoff, timeouts, ...options });
  stops.add(() => dialing.client.close());
  return dialing;
}

const closing = (code: number) => accepting(({ socket }) => void socket.end(closeFrame(code)));

const errorsOf = ({ events }: Dialing) =>
  events.flatMap((event) => (event.type === 'handler.errored' ? [event.handler] : []));

describe('client: user code that fails', () => {
  it('a contract that throws ends the connection, not the process', async () => {
    const server = await stops.service({ onOpen: (connection) => void connection.send(1) });
    const messages = z.number().refine(async () => true);
    const dialing = dial(server.port, { messages });
    const { verdicts, client } = dialing;
    await until(() => verdicts.length >= 2, 'it has reconnected');
    assert.equal(verdicts[0]?.cause, 'handler-error');
    assert.ok(errorsOf(dialing).includes('messages'));
    await client.close();
  });

  it('privateCodes that throws has no effect', async () => {
    const server = await stops.rogue(closing(4_000));
    const codes = () => {
      throw new Error('no idea');
    };
    const attempt = dial(server.port, { privateCodes: codes });
    await until(() => attempt.verdicts.length >= 2, 'it has reconnected');
    assert.ok(errorsOf(attempt).includes('privateCodes'));
  });

  const chances: Record<string, () => number> = {
    'that throws': () => {
      throw new Error('no chance');
    },
    'that returns no number': () => Number.NaN,
  };
  for (const [title, random] of Object.entries(chances)) {
    it(`random ${title} is replaced by an even chance`, async () => {
      const server = await stops.rogue(({ socket }) => void socket.resetAndDestroy());
      const attempt = dial(server.port, { random });
      await until(() => attempt.endings.length >= 3, 'it has dialed again');
      assert.equal(attempt.client.status.state === 'exhausted', false);
      assert.ok(errorsOf(attempt).includes('random'));
    });

    it(`random ${title} ends no connection`, async () => {
      const server = await stops.service();
      const attempt = dial(server.port, { random });
      await attempt.up();
      await until(() => errorsOf(attempt).includes('random'), 'it is reported');
      assert.equal(attempt.client.status.state, 'up');
      assert.deepEqual(attempt.endings, []);
    });
  }

  it('a subscriber that throws is reported, and affects nothing else', async () => {
    const server = await stops.service();
    const attempt = dial(server.port);
    attempt.client.status$.subscribe(() => {
      throw new Error('subscriber');
    });
    await attempt.up();
    assert.ok(errorsOf(attempt).includes('status$'));
  });

  it('no message waits forever when a listener for another message has closed the client', async () => {
    const { client } = dial(1, { backoff: { minMs: 60_000, maxMs: 60_000 }, random: () => 1 });
    await until(() => client.status.state === 'waiting', 'it waits');
    client.events$.subscribe(() => void client.close());
    client.send('a', { ttlMs: 1 });
    // Expired, but no timer has run yet: the next send finds it.
    const sinceMs = performance.now();
    while (performance.now() - sinceMs < 3);
    assert.equal(await client.sendAndFlush('b'), 'lost');
    assert.equal(client.queuedMessages, 0);
  });

  it('an operator that throws at the end of a stream never keeps it from ending', async () => {
    const server = await stops.service();
    const attempt = await dial(server.port).up();
    const fail = () => {
      throw new Error('finalize');
    };
    attempt.client.messages$.pipe(finalize(fail)).subscribe();
    await attempt.client.close();
    assert.equal(attempt.completed.length, 4);
    assert.ok(errorsOf(attempt).includes('messages$'));
  });

  it('inspect gets the chart of the client and that of its connection, and may throw', async () => {
    const server = await stops.service();
    const seen = new Set<string>();
    const attempt = dial(server.port, {
      inspect: (event) => {
        seen.add(event.actorRef.sessionId);
        throw new Error('inspect');
      },
    });
    await attempt.up();
    assert.ok(seen.size >= 2, `${seen.size} charts were seen`);
  });
});

describe('client: subscribers that act at once', () => {
  it('every subscriber sees one state after the other', async () => {
    const server = await stops.service();
    const attempt = dial(server.port);
    const second: string[] = [];
    attempt.client.status$.subscribe(({ state }) => {
      if (state === 'up') void attempt.client.close();
    });
    attempt.client.status$.subscribe(({ state }) => second.push(state));
    await until(() => second.at(-1) === 'stopped', 'it has stopped');
    assert.deepEqual(second, ['idle', 'dialing', 'up', 'stopping', 'stopped']);
  });

  it('retry is called when the application closed the connection, but not when it closes the client', async () => {
    const server = await stops.service();
    const asked: string[] = [];
    const attempt = dial(server.port, {
      retry: (_ending, suggested) => {
        asked.push(suggested);
        return 'now';
      },
    });
    (await attempt.up()).client.connection?.close();
    await until(() => attempt.client.status.attempts === 2, 'it has reconnected');
    await attempt.up();
    await attempt.client.close();
    assert.deepEqual([asked, attempt.verdicts.length], [['backoff'], 2]);
  });

  it('retry that returns now dials at once', async () => {
    const server = await stops.rogue(closing(4_200));
    const slow = { minMs: 60_000, maxMs: 60_000 };
    const attempt = dial(server.port, { privateCodes: privateCodes.pusher, backoff: slow });
    await until(() => attempt.verdicts.length >= 3, 'it has reconnected twice');
  });
});

describe('client: messages that meet a dying connection', () => {
  it('stay in the queue when the connection dies as it opens, and leave with the next one', async () => {
    let visits = 0;
    const got: string[] = [];
    const server = await stops.rogue(
      accepting(({ socket }) => {
        visits += 1;
        if (visits === 1) socket.resetAndDestroy();
        else socket.on('data', (bytes: Buffer) => got.push(unmasked(bytes)));
      }),
    );
    const attempt = dial(server.port);
    for (const message of [1, 2, 3, 4, 5]) attempt.client.send(message);
    await until(() => visits >= 2 && attempt.client.queuedMessages === 0, 'it has reconnected');
    await until(() => got.join('').length + attempt.events.length >= 1, 'something has arrived');
    const sentFirst = 5 - got.join('').length;
    assert.ok(sentFirst <= 1, `${sentFirst} had left with the first connection`);
  });

  it('expire also without another call', async () => {
    const server = await stops.rogue(({ socket }) => void socket.resetAndDestroy());
    const slow = { minMs: 60_000, maxMs: 60_000 };
    const attempt = dial(server.port, { backoff: slow, random: () => 0.99 });
    const lost = attempt.client.sendAndFlush('late', { ttlMs: 50 });
    assert.equal(await lost, 'lost');
    assert.deepEqual(attempt.events.at(-1), {
      type: 'message.dropped',
      message: 'late',
      reason: 'expired',
    });
    assert.throws(() => attempt.client.send('never', { ttlMs: Number.NaN }), {
      code: 'invalid-options',
      message: /ttlMs/,
    });
  });
});

/** The payloads of small masked frames, one after the other. */
function unmasked(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at + 6 <= bytes.length; ) {
    const length = (bytes[at + 1] ?? 0) & 0x7f;
    for (let index = 0; index < length; index += 1) {
      const mask = bytes[at + 2 + (index % 4)] ?? 0;
      text += String.fromCharCode((bytes[at + 6 + index] ?? 0) ^ mask);
    }
    at += 6 + length;
  }
  return text;
}
