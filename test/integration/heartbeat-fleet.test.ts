import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { TimerCountingClock } from '../support/timer-counting-clock.ts';
import { until } from '../support/until.ts';

const peers: RawPeer[] = [];
let service: Service;

/** Opens some connections at a time. Each polls for its answer until it arrives. */
async function open(count: number, greet: (peer: RawPeer) => void = () => {}): Promise<void> {
  const openOne = async () => {
    const peer = await RawPeer.open(service.port);
    peers.push(peer);
    greet(peer);
  };
  for (let left = count; left > 0; left -= 50) {
    await Promise.all(Array.from({ length: Math.min(left, 50) }, openOne));
  }
}

async function release(): Promise<void> {
  for (const peer of peers.splice(0)) peer.destroy();
  await service.stop();
}

const pingsOf = (peer: RawPeer) => peer.frames.filter((frame) => frame.opcode === opcode.ping);

describe('heartbeat: a crowd that connects at once', () => {
  afterEach(release);

  it('is pinged gradually: each tenth of an interval has its share', async () => {
    const intervalMs = 1_500;
    service = await Service.start({ heartbeat: { intervalMs, graceMs: 1_500 } });
    const rounds: number[][] = [];
    await open(100, (peer) => rounds.push(pingTimes(peer)));
    await until(() => rounds.every(({ length }) => length >= 2), 'everybody is pinged twice');
    for (const round of [0, 1]) {
      const tenths = rounds.map((at) => Math.floor((10 * (at[round] ?? 0)) / intervalMs));
      const most = Math.max(...countsOf(tenths));
      // Ten in each tenth would be even. When the machine was busy for a while, some fall together.
      assert.ok(most <= 60, `${most} of 100 in the same tenth in round ${round}`);
      assert.ok(new Set(tenths).size >= 4, `${new Set(tenths).size} tenths in round ${round}`);
    }
    assert.equal(service.supervisor.counts.open, 100);
  });

  /** Answers every ping, and records when it arrived. */
  function pingTimes(peer: RawPeer): number[] {
    const at: number[] = [];
    const answer = () => {
      while (at.length < pingsOf(peer).length) {
        at.push(performance.now());
        peer.send({ opcode: opcode.pong });
      }
    };
    peer.socket.on('data', answer);
    answer();
    return at;
  }
});

function countsOf(values: readonly number[]): number[] {
  return [...new Set(values)].map((value) => values.filter((other) => other === value).length);
}

/** Timers that keep the process alive, whoever created them. */
const knownTimers = () =>
  process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('heartbeat: one timer for all', () => {
  afterEach(release);

  it('500 connections share one native timer, in every phase of their heartbeat', async () => {
    const known = knownTimers();
    const clock = new TimerCountingClock();
    const heartbeat = { intervalMs: 200, graceMs: 6_000 };
    service = await Service.start({ clock, heartbeat });
    assert.equal(clock.pending.size, 0, 'no connection, no timer');
    await open(500);
    assert.equal(service.supervisor.counts.open, 500);
    await until(() => peers.every((peer) => pingsOf(peer).length > 0), 'all are pinged');
    assert.ok(knownTimers() <= known, `${knownTimers()} timers`);
    await service.when('connection.suspect');
    assert.ok(knownTimers() <= known, `${knownTimers()} timers`);
    assert.equal(service.supervisor.counts.open, 500);
    assert.equal(clock.pendingMax, 1);
  });

  it('the timer goes with the last connection', async () => {
    const clock = new TimerCountingClock();
    service = await Service.start({ clock });
    await open(3);
    await until(() => clock.pending.size === 1, 'there is a timer');
    for (const connection of service.supervisor.connections) connection.terminate();
    await until(() => service.inFlight === 0, 'they are gone');
    assert.equal(clock.pending.size, 0);
  });
});
