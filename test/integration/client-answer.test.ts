// Goal: a failure has the HTTP answer that refused the attempt, whatever the server does while it sends the body, and
// no server can delay the end of the attempt. Method: servers with scripted answers, with bodies that are long, slow,
// cut off or not text.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { createPool, type Ending, type NodeClientOptions } from '../../src/client/index.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { logLine } from '../../src/index.ts';
import { Dialing } from '../support/dialing.ts';
import type { Script } from '../support/rogue-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();

const patient = { handshakeMs: 600_000, closeMs: 200 };
const backoff = { minMs: 60_000, maxMs: 60_000 };

/** A clock whose longer timers take too long for any test, so that nothing ends because of them. */
const withoutSeconds: Clock = {
  ...systemClock,
  setTimer: (delayMs, fire) => systemClock.setTimer(delayMs < 1_000 ? delayMs : 600_000, fire),
};

const answering =
  (answer: (socket: Socket) => void): Script =>
  ({ asked, socket }) =>
    asked(() => answer(socket));

async function dial(script: Script, options: NodeClientOptions = {}): Promise<Dialing> {
  const server = await stops.rogue(script);
  const given = { timeouts: patient, backoff, random: () => 1, ...options };
  const dialing = new Dialing(`ws://127.0.0.1:${server.port}/feed`, given);
  stops.add(() => dialing.client.close());
  return dialing;
}

const head = (...headers: readonly string[]) =>
  `${['HTTP/1.1 403 Forbidden', ...headers].join('\r\n')}\r\n\r\n`;

describe('the response of a failure', () => {
  it('has status, headers and body', async () => {
    const attempt = await dial(
      answering((socket) =>
        socket.end(
          `${head(
            'WWW-Authenticate: Bearer error="invalid_token"',
            'Location: https://a.test/sign-in',
            'X-Request-Id: 7f3a',
            'Set-Cookie: a=1',
            'Set-Cookie: b=2',
            'Content-Length: 17',
          )}no such token: é`,
        ),
      ),
    );
    const { cause, httpStatus, response } = await attempt.firstFailure();
    assert.deepEqual([cause, httpStatus, response?.status], ['rejected', 403, 403]);
    assert.deepEqual(response?.headers, {
      'www-authenticate': 'Bearer error="invalid_token"',
      location: 'https://a.test/sign-in',
      'x-request-id': '7f3a',
      'set-cookie': ['a=1', 'b=2'],
      'content-length': '17',
    });
    assert.equal(response?.body, 'no such token: é');
  });

  it('is a plain value, and lacks a body if there is none', async () => {
    const attempt = await dial(answering((socket) => socket.end(head('Content-Length: 0'))));
    const { response } = await attempt.firstFailure();
    assert.deepEqual(structuredClone(response), {
      status: 403,
      headers: { 'content-length': '0' },
      body: '',
    });
  });

  it('has the first 4 KiB of the body, and no partial character', async () => {
    const attempt = await dial(
      answering((socket) => void socket.write(`${head()}x${'é'.repeat(10_000)}`)),
      { clock: withoutSeconds },
    );
    const { response } = await attempt.firstFailure();
    assert.equal(response?.body, `x${'é'.repeat(2_047)}`);
  });

  it('B05v: has the readable part of a body that is not UTF-8', async () => {
    const attempt = await dial(
      answering((socket) =>
        socket.end(Buffer.concat([Buffer.from(head()), Buffer.of(65, 255, 66)])),
      ),
    );
    assert.equal((await attempt.firstFailure()).response?.body, 'A\ufffdB');
  });

  const slow: Record<string, (socket: Socket) => void> = {
    'drips without end': (socket) => {
      socket.write(`${head('Transfer-Encoding: chunked')}3\r\nwhy\r\n`);
      const drip = setInterval(() => socket.write('1\r\n.\r\n'), 20);
      socket.on('close', () => clearInterval(drip));
    },
    'stops in the middle': (socket) => void socket.write(`${head('Content-Length: 100')}why`),
  };
  for (const [title, answer] of Object.entries(slow)) {
    it(`B05v: is delayed only briefly when the body ${title}`, async () => {
      const attempt = await dial(answering(answer));
      const { cause, response } = await attempt.firstFailure();
      assert.equal(cause, 'rejected');
      assert.match(String(response?.body), /^why\.*$/);
    });

    it(`never takes longer than the attempt may when the body ${title}`, async () => {
      const attempt = await dial(answering(answer), { timeouts: { handshakeMs: 100 } });
      const { cause, httpStatus, response } = await attempt.firstFailure();
      assert.deepEqual([cause, httpStatus], ['rejected', 403]);
      assert.match(String(response?.body), /^why\.*$/);
    });
  }

  const ends: Record<string, (socket: Socket) => void> = {
    FIN: (socket) => void socket.end(),
    RST: (socket) => void socket.resetAndDestroy(),
  };
  for (const [title, end] of Object.entries(ends)) {
    it(`B05v: has what arrived before a ${title} in the middle of the body`, async () => {
      const attempt = await dial(
        answering((socket) => {
          socket.write(`${head('Content-Length: 100')}why`);
          // The reset would overtake bytes that have not been read yet.
          setTimeout(() => end(socket), 50);
        }),
      );
      const { cause, response } = await attempt.firstFailure();
      assert.deepEqual([cause, response?.body], ['rejected', 'why']);
      assert.equal(attempt.endings.length, 1);
    });
  }

  it('is also there for an attempt that is given up during the body', async () => {
    let isAnswered = false;
    const attempt = await dial(
      answering((socket) => {
        socket.write(`${head('Content-Length: 100')}why`, () => {
          isAnswered = true;
        });
      }),
    );
    await until(() => isAnswered, 'the answer has left');
    await turns(3);
    await attempt.client.close();
    const { cause, response } = await attempt.firstFailure();
    assert.deepEqual([cause, response?.body], ['aborted', 'why']);
  });

  it('is in the endings of a pool', async () => {
    const server = await stops.rogue(
      answering((socket) => socket.end(`${head('Content-Length: 3')}why`)),
    );
    const pool = createPool([`ws://127.0.0.1:${server.port}/`], { size: 1, backoff });
    stops.add(() => pool.drain({ withinMs: 200 }));
    const endings: Ending[] = [];
    pool.endings$.subscribe((ending) => endings.push(ending));
    await until(() => endings.length > 0, 'an attempt fails');
    assert.ok(endings[0]?.outcome === 'failed');
    assert.equal(endings[0].failure.response?.body, 'why');
  });

  it('is never written to a log', async () => {
    const attempt = await dial(
      answering((socket) =>
        socket.end(`${head('Set-Cookie: s=secret', 'Content-Length: 6')}secret`),
      ),
    );
    const failure = await attempt.firstFailure();
    assert.equal(failure.response?.body, 'secret');
    const line = logLine({ type: 'connection.failed', id: 'd1', failure, at: 0 });
    assert.doesNotMatch(JSON.stringify(line), /secret/);
  });
});

describe('a client whose credentials are refused', () => {
  const denied = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n';
  const quick = { backoff: { minMs: 1, maxMs: 2, slowMs: 60_000 } };
  const functions: Record<string, NodeClientOptions> = {
    headers: { headers: () => ({}) },
    connect: { connect: () => ({}) },
    subprotocols: { subprotocols: async () => ['access_token'] },
  };
  for (const [name, options] of Object.entries(functions)) {
    it(`asks ${name} for others three times before it slows down`, async () => {
      const attempt = await dial(
        answering((socket) => socket.end(denied)),
        { ...quick, ...options },
      );
      await until(() => attempt.client.status.states.includes('waiting.slow'), 'it is slow');
      assert.equal(attempt.endings.length, 4);
    });
  }

  it('slows down at once where no function can supply others', async () => {
    const options = { ...quick, headers: {}, connect: {}, subprotocols: ['a'] };
    const attempt = await dial(
      answering((socket) => socket.end(denied)),
      options,
    );
    await until(() => attempt.client.status.states.includes('waiting.slow'), 'it is slow');
    assert.equal(attempt.endings.length, 1);
  });
});
