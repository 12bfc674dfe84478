// Goal: a service is replaced process by process under load, and no member of a durable topic misses a message or gets one twice.
// Method: two nodes on a real nats-server with 60 clients and a program that appends all the time; each is drained and replaced.
import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import { DurableRoom, gets, numbers, type RoomClient } from '../support/durable-room.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const program = await newestNatsServer();
const server = await JetStreamServer.start(program);
after(() => server.end());

const stops = new Stops();
afterEach(() => stops.all());

const CLIENTS = 60;

/** Service restart: without the heading `go`, it makes clients wait for 5 to 30 seconds. */
const CODE = 1012;

/** Measures for how long each client is not up, in milliseconds. The heading `go` and the close frame come together. */
function absencesOf(members: readonly RoomClient[]): number[] {
  const absences: number[] = [];
  for (const { client } of members) {
    let leftAtMs: number | null = null;
    client.status$.subscribe(({ state }) => {
      if (state !== 'up') leftAtMs ??= performance.now();
      else if (leftAtMs !== null) {
        absences.push(performance.now() - leftAtMs);
        leftAtMs = null;
      }
    });
  }
  return absences;
}

function shown(absences: readonly number[]): string {
  const sorted = [...absences].sort((one, other) => one - other);
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
  return `${sorted.length} hand-overs: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`;
}

describe('a service that is replaced', { timeout: 60_000 }, () => {
  it('hands its members over, and they miss nothing', async (test) => {
    const room = new DurableRoom({
      servers: server.url,
      retention: { messagesPerTopic: 20_000 },
    });
    stops.add(() => room.stop());
    const nodes = [await room.node(), await room.node()];
    const members = await Promise.all(
      numbers(1, CLIENTS).map((n) => room.client(() => nodes[n % nodes.length]?.url ?? '')),
    );
    const absences = absencesOf(members);
    const appending = room.appending(nodes);
    await appending.more(100);
    for (let count = 0; count < 2; count += 1) {
      const [leaving] = nodes.splice(0, 1);
      const { forced } = (await leaving?.supervisor.drain({ withinMs: 5_000, code: CODE })) ?? {};
      assert.equal(forced, 0);
      nodes.push(await room.node());
      await appending.more(100);
    }
    await until(() => members.every(({ client }) => client.status.state === 'up'), 'all are back');
    const kept = await appending.stop();
    for (const member of members) await gets(member, kept);
    for (const { recoveries } of members)
      assert.ok(recoveries.slice(1).every(({ cause }) => cause === 'resumed'));
    assert.equal(absences.length, 1.5 * CLIENTS, 'half of them at first, and then all');
    test.diagnostic(shown(absences));
  });
});
