// Goal: a pool keeps as many connections as it has members, dials allowed upstreams only, and hands out only open
// connections. Method: real servers that start, stop, refuse and stall. Everything that the pool reports is recorded.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  createPool,
  type DialedConnection,
  type Ending,
  MooringError,
  type Pool,
  type PoolOptions,
  type PoolStatus,
} from '../../src/client/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { accepting, closeFrame, type RogueServer, type Script } from '../support/rogue-server.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const quick: PoolOptions = {
  backoff: { minMs: 10, maxMs: 40, stableMs: 50 },
  timeouts: { handshakeMs: 1_000, closeMs: 300, forcedMs: 100, erroredMs: 100 },
  circuit: { failuresMax: 3, minMs: 60_000, maxMs: 60_000 },
};

const stops = new Stops();
afterEach(() => stops.all());

const serve = () =>
  stops.service({
    onMessage: (connection, message) => void connection.send({ echo: message }),
  });

async function rogue(script: Script): Promise<{ server: RogueServer; url: string }> {
  const server = await stops.rogue(script);
  return { server, url: `ws://127.0.0.1:${server.port}/` };
}

/** A pool, and everything that it reported. */
function open(urls: readonly string[], options: PoolOptions = {}) {
  const pool = createPool(urls, { ...quick, ...options });
  stops.add(() => pool.drain({ withinMs: 500 }));
  const statuses: PoolStatus[] = [];
  const endings: Ending[] = [];
  const completed: string[] = [];
  pool.status$.subscribe({
    next: (status) => statuses.push(status),
    complete: () => completed.push('status$'),
  });
  pool.endings$.subscribe({
    next: (ending) => endings.push(ending),
    complete: () => completed.push('endings$'),
  });
  const states = () =>
    statuses.map(({ state }) => state).filter((state, at, all) => state !== all[at - 1]);
  return { pool, statuses, endings, states, completed };
}

const inState = (pool: Pool, state: string) =>
  until(() => pool.status.state === state, `the pool is ${state}`);
const members = ({ status }: Pool) => status.upstreams.map((upstream) => upstream.members);
const circuits = ({ status }: Pool) => status.upstreams.map((upstream) => upstream.circuit);
const refusal = (status: number, ...headers: string[]): Script => {
  const lines = [`HTTP/1.1 ${status} No`, 'Content-Length: 0', ...headers];
  return ({ socket, asked }) => asked(() => void socket.end(`${lines.join('\r\n')}\r\n\r\n`));
};

describe('pool', () => {
  it('is operational when every member has a connection, spread over its upstreams', async () => {
    const [one, other] = [await serve(), await serve()];
    const { pool, states } = open([one.url, other.url], { size: 5 });
    assert.equal(pool.status.state, 'starting');
    assert.equal(pool.checkout(), undefined);
    await inState(pool, 'operational');
    assert.deepEqual(states(), ['starting', 'operational']);
    assert.deepEqual(members(pool), [3, 2]);
    assert.deepEqual([one.supervisor.counts.open, other.supervisor.counts.open], [3, 2]);
    assert.equal([...pool.connections].length, pool.status.open);
    assert.equal(new Set([...pool.connections].map(({ id }) => id)).size, 5);
  });

  it('hands out each connection in turn, and identifies the connection of each message', async () => {
    const service = await serve();
    const { pool } = open([service.url], { size: 3 });
    const all: unknown[] = [];
    pool.messages$.subscribe((message) => all.push(message));
    await inState(pool, 'operational');
    const turns = Array.from({ length: 6 }, () => pool.checkout()?.id);
    assert.equal(new Set(turns.slice(0, 3)).size, 3);
    assert.deepEqual(turns.slice(0, 3), turns.slice(3));
    const [one, other] = [pool.checkout(), pool.checkout()];
    assert.ok(one && other);
    const heard: unknown[] = [];
    one.messages$.subscribe((message) => heard.push(message));
    one.send('a');
    assert.equal(await other.sendAndFlush('b'), 'sent');
    await until(() => all.length === 2, 'both are answered');
    assert.deepEqual(heard, [{ echo: 'a' }]);
  });

  it('hands out the connection with the smallest backlog', async () => {
    const service = await serve();
    const proxy = await FaultProxy.start({ port: service.port });
    stops.add(() => proxy.close());
    const { pool } = open([`ws://127.0.0.1:${proxy.port}/ws`], { size: 3 });
    await inState(pool, 'operational');
    for (const link of proxy.links) link.up.set({ blackhole: true });
    const sizes = new Map<DialedConnection, number>();
    for (const [index, connection] of [...pool.connections].entries()) {
      const flood = 'x'.repeat(2 ** 20);
      while (connection.bufferedBytes === 0) connection.send(flood);
      if (index !== 1) connection.send(flood);
      sizes.set(connection, connection.bufferedBytes);
    }
    const least = Math.min(...sizes.values());
    for (let turn = 0; turn < 3; turn += 1) {
      assert.equal(pool.checkout()?.bufferedBytes, least);
    }
  });

  it('replaces lost connections, reports each once, and never hands out a dead one', async () => {
    const service = await serve();
    const { pool, states, endings } = open([service.url], { size: 2 });
    await inState(pool, 'operational');
    const lost = pool.checkout();
    assert.ok(lost);
    const [victim] = [...service.supervisor.connections];
    victim?.close(1011, 'bye');
    await until(() => endings.length === 1, 'its end is reported');
    assert.deepEqual(states(), ['starting', 'operational', 'degraded']);
    for (let turn = 0; turn < 4; turn += 1) assert.equal(pool.checkout()?.state, 'open');
    await inState(pool, 'operational');
    const [ending] = endings;
    assert.ok(ending?.outcome === 'closed');
    assert.deepEqual([ending.verdict.code, ending.verdict.origin], [1011, 'peer']);
  });

  it('replaces a connection that the application closed', async () => {
    const service = await serve();
    const { pool, endings } = open([service.url], { size: 2 });
    await inState(pool, 'operational');
    const stale = pool.checkout();
    assert.equal(stale?.close(4_000, 'stale'), true);
    assert.notEqual(pool.checkout(), stale);
    assert.equal(stale?.send('x'), 'refused');
    await until(() => endings.length === 1 && pool.status.open === 2, 'it is replaced');
    assert.equal(stale?.verdict?.code, 4_000);
    assert.deepEqual(circuits(pool), ['closed']);
  });
});

describe('the circuit of an upstream', () => {
  it('opens after failures in a row, and its members move to upstreams that admit them', async () => {
    const { server, url } = await rogue(({ socket }) => socket.resetAndDestroy());
    const service = await serve();
    const { pool, states } = open([url, service.url], { size: 4 });
    await inState(pool, 'operational');
    assert.deepEqual(members(pool), [0, 4]);
    assert.deepEqual(circuits(pool), ['open', 'closed']);
    assert.deepEqual(states(), ['starting', 'degraded', 'operational']);
    // The attempts that were under way when it opened, and no others.
    assert.ok(server.visits <= 3 + 2, `${server.visits} attempts`);
  });

  it('opens when retry returns never for a member that the application closed', async () => {
    const [one, other] = [await serve(), await serve()];
    const asked: string[] = [];
    const { pool } = open([one.url, other.url], {
      size: 1,
      retry: (_ending, suggested) => {
        asked.push(suggested);
        return 'never';
      },
    });
    await inState(pool, 'operational');
    pool.checkout()?.close();
    await until(() => other.supervisor.counts.open === 1, 'the other has it');
    await inState(pool, 'operational');
    assert.deepEqual(circuits(pool), ['open', 'closed']);
    await pool.drain();
    assert.deepEqual([asked, members(pool)], [['backoff'], [0, 0]]);
  });

  it('is reported as half-open when its time is over, although nobody dials', async () => {
    const { url } = await rogue(refusal(500));
    const service = await serve();
    const circuit = { failuresMax: 1, minMs: 1_000, maxMs: 1_000 };
    const { pool } = open([url, service.url], { size: 2, circuit });
    await inState(pool, 'operational');
    assert.deepEqual(circuits(pool), ['open', 'closed']);
    await until(() => circuits(pool)[0] === 'half-open', 'its time is over');
  });

  it('lets one attempt probe, and closes when that opens', async () => {
    let isUp = false;
    let probing = 0;
    let most = 0;
    const script: Script = (visit) => {
      if (isUp) accepting(() => {})(visit);
      else {
        probing += 1;
        most = Math.max(most, probing);
        visit.socket.on('close', () => (probing -= 1));
        setTimeout(() => visit.socket.resetAndDestroy(), 20);
      }
    };
    const { server, url } = await rogue(script);
    const { pool } = open([url], {
      size: 4,
      circuit: { failuresMax: 4, minMs: 50, maxMs: 100 },
    });
    await until(() => server.visits >= 4, 'all have tried');
    await until(() => probing === 0, 'all have failed');
    most = 0;
    const before = server.visits;
    await until(() => server.visits >= before + 4, 'some have probed');
    assert.equal(most, 1);
    isUp = true;
    await inState(pool, 'operational');
    assert.deepEqual(circuits(pool), ['closed']);
  });

  it('opens at once for a permanent fault, and the pool does not give up', async () => {
    const { server, url } = await rogue(refusal(401));
    const { pool, endings } = open([url], { size: 1 });
    await until(() => endings.length === 1, 'it is refused');
    await until(() => circuits(pool)[0] === 'open', 'its circuit is open');
    const service = await serve();
    const other = open([url, service.url], { size: 2 });
    await inState(other.pool, 'operational');
    assert.deepEqual(members(other.pool), [0, 2]);
    assert.equal(pool.status.state, 'degraded');
    assert.equal(server.visits, 2);
  });

  for (const [name, script] of Object.entries<Script>({
    'Retry-After': refusal(503, 'Retry-After: 60'),
    1013: accepting(({ socket }) => void socket.end(closeFrame(1013))),
  })) {
    it(`applies ${name} to all members, which move elsewhere`, async () => {
      const { server, url } = await rogue(script);
      const service = await serve();
      const { pool } = open([url, service.url], {
        size: 2,
        backoff: { ...quick.backoff, maxMs: 20_000 },
      });
      await until(() => members(pool)[1] === 2 && pool.status.open === 2, 'both are elsewhere');
      assert.equal(server.visits, 1);
      assert.deepEqual(circuits(pool), ['open', 'closed']);
    });
  }

  it('never opens for connections that were lost after they had lasted', async () => {
    const service = await serve();
    const { pool, endings } = open([service.url], { size: 4 });
    await inState(pool, 'operational');
    // Much longer than stableMs, because a busy machine may be late.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    for (const connection of service.supervisor.connections) connection.terminate();
    await until(() => endings.length === 4, 'all are lost');
    await inState(pool, 'operational');
    assert.deepEqual(circuits(pool), ['closed']);
  });
});

describe('the drain of a pool', () => {
  it('closes every connection, dials no more, and completes every stream', async () => {
    const service = await serve();
    const { pool, states, endings, completed } = open([service.url], { size: 3 });
    await inState(pool, 'operational');
    const first = pool.drain({ code: 4_001, reason: 'enough' });
    assert.equal(pool.checkout(), undefined);
    const report = await first;
    assert.deepEqual(await pool.drain(), report);
    assert.deepEqual([report.closed, report.forced], [3, 0]);
    assert.deepEqual(states(), ['starting', 'operational', 'draining', 'stopped']);
    assert.deepEqual(completed.toSorted(), ['endings$', 'status$']);
    for (const ending of endings) {
      assert.ok(ending.outcome === 'closed');
      assert.deepEqual([ending.verdict.code, ending.verdict.clean], [4_001, true]);
    }
    assert.equal(service.supervisor.counts.open, 0);
    assert.equal(service.of('connection.opened').length, 3);
  });

  it('destroys the remaining connections at the deadline', async () => {
    const { url } = await rogue(accepting(() => {}));
    const { pool, endings } = open([url], {
      size: 2,
      timeouts: { ...quick.timeouts, closeMs: 60_000 },
    });
    await inState(pool, 'operational');
    const { closed, forced, tookMs } = await pool.drain({ withinMs: 100 });
    assert.deepEqual([closed, forced], [0, 2]);
    assert.ok(tookMs >= 100);
    assert.deepEqual(
      endings.map(({ outcome }) => outcome),
      ['closed', 'closed'],
    );
  });

  it('gives up attempts, and waits for none', async () => {
    const { url } = await rogue(() => {});
    const { pool, endings } = open([url], { size: 2, timeouts: { handshakeMs: 60_000 } });
    await until(() => members(pool)[0] === 2, 'both are under way');
    const { closed, forced } = await pool.drain();
    assert.deepEqual([closed, forced, endings.length], [0, 0, 2]);
    assert.equal(pool.status.state, 'stopped');
  });

  it('follows an AbortSignal that aborts before or during its life', async () => {
    const service = await serve();
    const controller = new AbortController();
    const { pool } = open([service.url], { signal: controller.signal });
    await inState(pool, 'operational');
    controller.abort();
    await inState(pool, 'stopped');
    const late = open([service.url], { signal: controller.signal });
    await inState(late.pool, 'stopped');
    assert.equal(service.of('connection.opened').length, 4);
  });
});

describe('createPool', () => {
  const refused = (urls: unknown, options: unknown, pattern: RegExp) =>
    assert.throws(
      () => createPool(urls as string[], options as PoolOptions),
      (error) => error instanceof MooringError && pattern.test(error.message),
    );

  it('refuses lists that contain anything but URLs of WebSockets, and names each fault', () => {
    refused([], {}, /^urls: must be a list/);
    refused('ws://a', {}, /^urls: must be a list/);
    refused(['ws://a', 'nowhere', 'ftp://a'], {}, /urls\[1\].*urls\[2\]/);
    refused(['ws://a/', 'ws://a/'], {}, /urls\[1\]: is listed twice/);
  });

  it('refuses wrong or unknown options, by their path', () => {
    refused(['ws://a'], { size: 0 }, /options\.size/);
    refused(['ws://a'], { circuit: { minMs: 2, maxMs: 1 } }, /options\.circuit\.minMs/);
    refused(['ws://a'], { circuit: { max: 1 } }, /options\.circuit\.max: unknown/);
    refused(['ws://a'], { queueMax: 1 }, /options\.queueMax: unknown/);
    refused(['ws://a'], { colour: 1 }, /options\.colour: unknown/);
    refused(['ws://a'], 5, /options: must be an object/);
  });

  it('refuses invalid drain options', async () => {
    const service = await serve();
    const { pool } = open([service.url], { size: 1 });
    await assert.rejects(pool.drain({ code: 1006 }), /1006/);
    await assert.rejects(pool.drain({ withinMs: 0 }), /withinMs/);
    await assert.rejects(pool.drain({ perSecond: 1 } as never), /perSecond: unknown/);
    await inState(pool, 'operational');
  });
});
