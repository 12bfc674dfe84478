// Goal: a crowd that loses its server at once returns spread out over time. Method: a thousand clients on virtual
// time, a server that restarts, and the times of their attempts. The guide shows these histograms.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { sharedRuntime } from '../../src/connection/shared-runtime.ts';
import type { CloseFrame } from '../../src/core/close-code.ts';
import { whenAborted } from '../../src/core/guard.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { resolveClientOptions } from '../support/client-options.ts';
import { virtualClient } from '../support/virtual-client.ts';
import { VirtualServer } from '../support/virtual-server.ts';

const CROWD = 1_000;
const SETTLED_MS = 30_000;
const DOWN_MS = 3_000;
const BAR_MAX = 50;
const GUIDE = new URL('../../../docs/guide/client.md', import.meta.url);

interface Return {
  /** When each client dialed, in milliseconds since the server went down. */
  readonly knocksMs: readonly number[];
  /** How many are connected in the end. */
  readonly connected: number;
  /** How many endings all clients reported. */
  readonly endings: number;
}

/** Restarts a server under a crowd: down for three seconds, with a close frame or without one. */
function restart(frame?: CloseFrame): Return {
  const clock = new VirtualClock();
  const server = new VirtualServer(clock);
  const { next } = new SeededRandom(7);
  const options = resolveClientOptions({ clock, random: next }, clock);
  const context = sharedRuntime(options);
  let endings = 0;
  for (let index = 0; index < CROWD; index += 1) {
    const client = virtualClient(options, context, {
      warnings: null,
      makeTransport: (connection) => server.transport(connection),
      holdProcess: () => () => {},
      whenAborted,
      watchHost: () => () => {},
    });
    client.streams.endings.observable.subscribe(() => {
      endings += 1;
    });
  }
  clock.advance(SETTLED_MS);
  assert.equal(server.connections, CROWD);
  const before = server.dialedAtMs.length;
  server.goDown(frame);
  clock.advance(DOWN_MS);
  server.isUp = true;
  clock.advance(120_000);
  const knocksMs = server.dialedAtMs.slice(before).map((atMs) => atMs - SETTLED_MS);
  return { knocksMs, connected: server.connections, endings };
}

/** The counts of each time slot, as text. */
function histogram({ knocksMs }: Return, slotMs: number): string {
  const slots = Math.ceil((Math.max(...knocksMs) + 1) / slotMs);
  const counts = Array.from(
    { length: slots },
    (_, slot) => knocksMs.filter((ms) => Math.floor(ms / slotMs) === slot).length,
  );
  const most = Math.max(...counts);
  const line = (count: number, slot: number) => {
    const at = ((slot * slotMs) / 1_000).toFixed(1).padStart(5);
    const bar = '█'.repeat(Math.round((count / most) * BAR_MAX));
    return `${at} s ${String(count).padStart(4)} ${bar}`.trimEnd();
  };
  return counts.map(line).join('\n');
}

describe('a thousand clients whose server restarts', () => {
  const resets = restart();
  const restarted = restart({ code: 1012, reason: 'restart' });

  it('all reconnect, and each ending is reported once', () => {
    for (const { connected, endings, knocksMs } of [resets, restarted]) {
      assert.equal(connected, CROWD);
      assert.equal(endings, knocksMs.length, 'one for each attempt after the first, and the first');
    }
  });

  it('without a close frame: the first attempts spread over half a second, then thin out', () => {
    const { knocksMs } = resets;
    const inTenth = (tenth: number) =>
      knocksMs.filter((ms) => Math.floor(ms / 100) === tenth).length;
    const busiest = Math.max(...Array.from({ length: 200 }, (_, tenth) => inTenth(tenth)));
    assert.ok(busiest < CROWD / 2, `${busiest} in one tenth of a second`);
    const late = knocksMs.filter((ms) => ms >= DOWN_MS).length;
    assert.equal(late, CROWD, 'no attempt is refused once the server is up');
  });

  it('with 1012: spread evenly over 5 to 30 seconds', () => {
    const { knocksMs } = restarted;
    assert.equal(knocksMs.length, CROWD);
    assert.ok(Math.min(...knocksMs) >= 5_000 && Math.max(...knocksMs) <= 30_200);
    const perSecond = (second: number) =>
      knocksMs.filter((ms) => Math.floor(ms / 1_000) === second).length;
    for (let second = 5; second < 30; second += 1) {
      const count = perSecond(second);
      assert.ok(count >= 15 && count <= 70, `${count} in second ${second}`);
    }
  });

  it('match the histograms in the guide', () => {
    const guide = readFileSync(GUIDE, 'utf8');
    for (const [shown, slotMs] of [
      [resets, 1_000],
      [restarted, 2_500],
    ] as const) {
      const picture = histogram(shown, slotMs);
      assert.ok(guide.includes(picture), `the guide must show:\n${picture}`);
    }
  });
});
