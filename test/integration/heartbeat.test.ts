import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import { byError, opening } from '../support/closings.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { lostToNetwork } from '../support/verdicts.ts';

const timeouts = { closeMs: 200, erroredMs: 100, forcedMs: 100 };
/** The tick that the supervisor derives from these: an eighth of the shortest time. */
const TICK_MS = 13;
const heartbeat = { intervalMs: 240, graceMs: 180 };
const closedByError = [...opening, ...byError];

let service: Service;
let peer: RawPeer;
let connection: Connection<unknown, unknown, unknown>;

async function connect(options: SupervisorOptions<unknown, unknown, unknown> = {}): Promise<void> {
  service = await Service.start({ timeouts, heartbeat, ...options });
  peer = await RawPeer.open(service.port);
  connection = await service.opened();
}

async function release(): Promise<void> {
  peer.destroy();
  await service.stop();
}

const pings = () => peer.frames.filter((frame) => frame.opcode === opcode.ping);
const pong = () => peer.send({ opcode: opcode.pong });
const types = () => service.events.map(({ type }) => type.replace('connection.', ''));

/** Answers every ping from now on. Earlier ones stay unanswered. */
function answerPings(): void {
  let answered = pings().length;
  peer.socket.on('data', () => {
    for (; answered < pings().length; answered += 1) pong();
  });
}

/**
 * A stopwatch that subtracts the time in which the event loop did not turn. Deadlines deliberately
 * stretch by that time, and a busy machine makes it long.
 */
class Stopwatch {
  readonly #startedAt = performance.now();
  #lookedAt = this.#startedAt;
  #stalledMs = 0;
  readonly #timer = setInterval(() => this.#look(), 5);

  #look(): void {
    const now = performance.now();
    this.#stalledMs += Math.max(0, now - this.#lookedAt - 6);
    this.#lookedAt = now;
  }

  stop(): { tookMs: number; stalledMs: number } {
    this.#look();
    clearInterval(this.#timer);
    return { tookMs: performance.now() - this.#startedAt, stalledMs: this.#stalledMs };
  }
}

/** Waits for the verdict about a peer whose last byte has just arrived. */
async function assertLostWithin(boundMs: number, atLeastMs: number): Promise<void> {
  const watch = new Stopwatch();
  try {
    await service.closedAs({ states: closedByError, ...lostToNetwork.silent });
  } finally {
    const { tookMs, stalledMs } = watch.stop();
    const latestMs = boundMs + 5 * TICK_MS + stalledMs;
    assert.ok(tookMs <= latestMs, `${tookMs} ms is more than ${latestMs}`);
    assert.ok(tookMs >= atLeastMs - 3 * TICK_MS, `${tookMs} ms is less than ${atLeastMs}`);
  }
}

describe('heartbeat: a peer that is silent', () => {
  afterEach(release);
  const { intervalMs, graceMs } = heartbeat;

  for (const random of [0, 0.5, 0.999]) {
    it(`is lost within interval + grace of opening, when its ping is sent at ${random}`, async () => {
      await connect({ random: () => random });
      await assertLostWithin(intervalMs + graceMs, random * intervalMs + graceMs);
      assert.deepEqual(types(), ['opened', 'suspect', 'errored', 'closed']);
      assert.equal(pings().length, 1);
    });
  }

  for (const random of [0, 0.5, 0.999]) {
    it(`is lost interval + grace after its last message, with its first check at ${random}`, async () => {
      await connect({ random: () => random });
      peer.json('last');
      await until(() => service.messages.length === 1, 'the message arrives');
      await assertLostWithin(intervalMs + graceMs, random === 0 ? graceMs : intervalMs + graceMs);
    });
  }

  it('is lost interval + grace after its last pong', async () => {
    await connect({ random: () => 0 });
    await until(() => pings().length === 1, 'it is pinged');
    pong();
    await assertLostWithin(intervalMs + graceMs, intervalMs + graceMs);
    assert.equal(pings().length, 2);
  });

  it('is lost within interval + grace of the last byte of an unfinished frame', async () => {
    await connect({ random: () => 0 });
    await until(() => pings().length === 1, 'it is pinged');
    peer.socket.write(buildFrame({ opcode: opcode.text, payload: 'x'.repeat(100) }).subarray(0, 9));
    await assertLostWithin(intervalMs + graceMs, graceMs);
  });

  it('is lost within interval + grace even when the grace is much longer', async () => {
    await connect({ random: () => 0, heartbeat: { intervalMs: 100, graceMs: 1_000 } });
    await until(() => pings().length === 1, 'it is pinged');
    pong();
    await assertLostWithin(1_100, 1_000);
  });

  it('is reported by one verdict only, and is gone from everywhere', async () => {
    await connect({ random: () => 0 });
    connection.join('all');
    const seen: unknown[] = [];
    service.supervisor.events$.subscribe(({ type }) => {
      if (type !== 'connection.errored') return;
      seen.push(service.supervisor.topic('all').size, connection.send('x'));
    });
    await service.closedAs({ states: closedByError, ...lostToNetwork.silent });
    const [errored] = service.of('connection.errored');
    assert.equal(errored?.cause, 'heartbeat-timeout');
    assert.deepEqual(seen, [0, 'refused']);
    await until(() => peer.ended, 'FIN arrives');
    assert.equal(peer.closeFrame, undefined);
  });
});

describe('heartbeat: a peer that is late', () => {
  afterEach(release);

  it('is suspect, then healthy again, and stays open', async () => {
    await connect({ heartbeat: { intervalMs: 200, graceMs: 1_000 } });
    await service.when('connection.suspect');
    assert.ok(connection.states.includes('open.liveness.suspect'));
    const answered = pings().length;
    pong();
    answerPings();
    await service.when('connection.healthy');
    assert.ok(connection.states.includes('open.liveness.healthy'));
    await until(() => pings().length >= answered + 3, 'pings continue');
    assert.deepEqual(types(), ['opened', 'suspect', 'healthy']);
    assert.equal(connection.state, 'open');
  });

  it('is healthy again after any byte, even one that finishes no frame', async () => {
    await connect({ heartbeat: { intervalMs: 200, graceMs: 1_000 } });
    await service.when('connection.suspect');
    const [head, tail] = halves(buildFrame({ opcode: opcode.text, payload: '"slow"' }));
    peer.socket.write(head);
    await service.when('connection.healthy');
    answerPings();
    peer.socket.write(tail);
    await until(() => service.messages.length === 1, 'the message is whole');
    assert.deepEqual(types(), ['opened', 'suspect', 'healthy']);
  });

  it('is ignored from now on when its connection is ended as soon as it is healthy again', async () => {
    await connect({ heartbeat: { intervalMs: 200, graceMs: 1_000 } });
    await service.when('connection.suspect');
    service.supervisor.events$.subscribe(({ type }) => {
      if (type === 'connection.healthy') connection.close(4000);
    });
    peer.send({ opcode: opcode.text, payload: '"too late"' });
    await service.when('connection.closing');
    assert.deepEqual(service.messages, []);
  });

  it('can be suspect repeatedly', async () => {
    await connect({ heartbeat: { intervalMs: 100, graceMs: 600 } });
    for (let times = 1; times <= 3; times += 1) {
      await until(() => service.of('connection.suspect').length === times, 'it is suspect');
      pong();
      await until(() => service.of('connection.healthy').length === times, 'it is healthy');
    }
    assert.equal(connection.state, 'open');
  });
});

function halves(frame: Buffer): [Buffer, Buffer] {
  const middle = Math.ceil(frame.length / 2);
  return [frame.subarray(0, middle), frame.subarray(middle)];
}

describe('heartbeat: a peer that proves that it lives', () => {
  afterEach(release);

  it('stays open although its frame grows byte by byte and is never whole', async () => {
    await connect();
    const frame = buildFrame({ opcode: opcode.text, payload: 'x'.repeat(1_000) });
    let sent = 0;
    const drip = setInterval(() => peer.socket.write(frame.subarray(sent, ++sent)), 25);
    try {
      await until(() => pings().length >= 4, 'it is pinged again and again');
    } finally {
      clearInterval(drip);
    }
    assert.ok(!types().includes('closed'));
    assert.deepEqual([connection.state, service.messages], ['open', []]);
  });

  it('stays open by answering pings, and needs no other traffic', async () => {
    await connect();
    answerPings();
    await until(() => pings().length >= 6, 'it is pinged again and again');
    assert.deepEqual(types(), ['opened']);
    assert.equal(connection.state, 'open');
  });

  it('stays open by pings of its own', async () => {
    await connect();
    const own = setInterval(() => peer.send({ opcode: opcode.ping }), 40);
    try {
      const pongs = () => peer.frames.filter((frame) => frame.opcode === opcode.pong).length;
      await until(() => pongs() >= 40, 'its pings are answered');
    } finally {
      clearInterval(own);
    }
    assert.deepEqual(types(), ['opened']);
  });

  it('is never pinged while it sends', async () => {
    await connect();
    const openedAt = performance.now();
    const talk = setInterval(() => peer.json('talk'), 20);
    try {
      const longEnough = () => performance.now() - openedAt > 5 * heartbeat.intervalMs;
      await until(longEnough, 'five intervals have passed');
    } finally {
      clearInterval(talk);
    }
    assert.ok(service.messages.length > 5);
    // Nothing was known of the peer before its first message, so a ping may have been first.
    assert.ok(pings().length <= 1, `${pings().length} pings`);
    assert.deepEqual(types(), ['opened']);
  });

  it('is pinged once in each interval, not more', async () => {
    await connect({ random: () => 0 });
    answerPings();
    const openedAt = performance.now();
    await until(() => pings().length === 6, 'it is pinged again and again');
    const tookMs = performance.now() - openedAt;
    assert.ok(tookMs >= 5 * (heartbeat.intervalMs - 2 * TICK_MS), `6 pings in ${tookMs} ms`);
  });
});
