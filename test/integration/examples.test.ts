// Goal: each example does what its first lines promise. Method: run it, and connect to it with plain ws.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSupervisor, listen, type Supervisor } from '../../src/index.ts';
import { Example } from '../support/example.ts';
import { PlainClient, refusedWith } from '../support/plain-client.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = stopsAndWatch();

async function started(...args: Parameters<typeof Example.start>): Promise<Example> {
  return stops.started(Example.start(...args));
}

describe('docs/examples/echo.ts', () => {
  const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

  it('admits clients with a token, and echoes', async () => {
    const echo = await started('echo', { PORT: '0', TOKENS: 'ada=s3cret bob=hunter2' });
    assert.equal(await refusedWith(echo.url), 401);
    assert.equal(await refusedWith(echo.url, bearer('wrong')), 401);
    const client = await PlainClient.open(echo.url, bearer('hunter2'));
    client.send({ n: 1 });
    assert.deepEqual(await client.hears(2), [{ hello: 'bob' }, { echo: { n: 1 } }]);
    assert.equal(await echo.stop(), 0);
    assert.equal(await client.isClosed(), '1001 draining');
  });

  it('admits nobody without tokens', async () => {
    const echo = await started('echo', { PORT: '0', TOKENS: '' });
    assert.equal(await refusedWith(echo.url), 401);
    assert.equal(await refusedWith(echo.url, bearer('')), 401);
  });

  it('loses no echo to a client that sends faster than it reads', async () => {
    const echo = await started('echo', { PORT: '0', TOKENS: 'ada=s3cret' });
    const client = await PlainClient.open(echo.url, bearer('s3cret'));
    await client.hears(1);
    client.socket.pause();
    const filler = 'x'.repeat(60_000);
    for (let n = 0; n < 300; n += 1) client.send({ n, filler });
    // What the network buffers: more than 10 MB wait on either side of it.
    await until(() => client.socket.bufferedAmount < 16_000_000, 'the program has begun to read');
    client.socket.resume();
    const echoes = await client.hears(301);
    const numbers = echoes.slice(1).map(({ echo: message }) => (message as { n: number }).n);
    assert.deepEqual(numbers, [...Array(300).keys()]);
    await client.close();
  });
});

describe('docs/examples/ticker.ts', () => {
  it('sends the current price, then each new one, of the symbols that a client watches', async () => {
    const ticker = await started('ticker', { PORT: '0', EVERY_MS: '20' });
    const client = await PlainClient.open(ticker.url);
    client.send({ watch: ['EUR', 'CHF'] });
    const quotes = await client.hears(8);
    assert.deepEqual(new Set(quotes.map(({ symbol }) => symbol)), new Set(['EUR', 'CHF']));
    assert.deepEqual(
      quotes.slice(0, 2).map(({ symbol }) => symbol),
      ['EUR', 'CHF'],
    );
    assert.ok(quotes.every(({ price }) => typeof price === 'number' && price > 0));
    client.send({ watch: ['EURO'] });
    await until(() => client.messages.some(({ code }) => code === 'invalid-message'), 'the fault');
    assert.equal(await ticker.stop(), 0);
    assert.equal(await client.isClosed(), '1001 draining');
  });
});

describe('docs/examples/chat.ts', () => {
  it('sends the members of a room who joined, who left and each message', async () => {
    const chat = await started('chat', { PORT: '0' });
    const enter = (name: string) => PlainClient.open(`${chat.url}?name=${name}`);
    assert.equal(await refusedWith(chat.url), 400);
    const [ada, bob, eve] = [await enter('Ada'), await enter('Bob'), await enter('Eve')];
    const room = 'harbour';
    ada.send({ type: 'join', room });
    await ada.hears(1);
    bob.send({ type: 'join', room });
    bob.send({ type: 'say', room, text: ' hello ' });
    eve.send({ type: 'say', room, text: 'psst' });
    assert.deepEqual(await eve.hears(1), [{ type: 'denied', room, name: 'Eve' }]);
    await ada.hears(3);
    bob.socket.terminate();
    assert.deepEqual(await ada.hears(4), [
      { type: 'came', room, name: 'Ada' },
      { type: 'came', room, name: 'Bob' },
      { type: 'said', room, name: 'Bob', text: 'hello' },
      { type: 'left', room, name: 'Bob' },
    ]);
    assert.equal(await chat.stop(), 0);
    assert.equal(await ada.isClosed(), '1001 draining');
    assert.equal(eve.messages.length, 1);
  });
});

describe('docs/examples/upstream-worker.ts', () => {
  /** A service that assigns jobs. */
  async function upstream(): Promise<{ url: string; supervisor: Supervisor; sums: unknown[] }> {
    const sums: unknown[] = [];
    const supervisor: Supervisor = createSupervisor<undefined>({
      onMessage: (_connection, message) => void sums.push(message),
    });
    const listener = await listen(supervisor);
    stops.add(async () => {
      await supervisor.drain({ withinMs: 500 });
      await listener.close();
    });
    return { url: listener.url, supervisor, sums };
  }

  it('answers jobs on the connection that they arrived on, and finishes them before it stops', async () => {
    const [first, second] = [await upstream(), await upstream()];
    const env = { UPSTREAMS: `${first.url} ${second.url}`, SIZE: '2', WORK_MS: '300' };
    const worker = await started('upstream-worker', env, { isReady: /operational: 2 of 2/ });
    first.supervisor.broadcast({ id: 'a', numbers: [1, 2, 3] });
    second.supervisor.broadcast({ id: 'b', numbers: [4, 5] });
    await until(() => first.sums.length + second.sums.length === 2, 'both are answered');
    assert.deepEqual([first.sums, second.sums], [[{ id: 'a', sum: 6 }], [{ id: 'b', sum: 9 }]]);
    first.supervisor.broadcast({ id: 'c', numbers: [7] });
    await until(() => worker.output.includes('job c'), 'it has begun');
    assert.equal(await worker.stop(), 0, worker.output);
    assert.deepEqual(first.sums.at(-1), { id: 'c', sum: 7 });
  });
});
