// Goal: waiting messages of a client are never written into a connection that is refused behind its 101. Method:
// servers that refuse at once, in one packet or in two, and all bytes that reached them.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { createSupervisor, type Listener, listen, Refusal } from '../../src/index.ts';
import { Dialing } from '../support/dialing.ts';
import { RawHost } from '../support/raw-host.ts';
import { closeFrame, RogueServer } from '../support/rogue-server.ts';
import { until } from '../support/until.ts';

let server: RogueServer | undefined;
let listener: Listener | undefined;
let dialing: Dialing | undefined;

afterEach(async () => {
  await dialing?.client.close();
  await server?.stop();
  await listener?.close();
  dialing = server = listener = undefined;
});

const numbers = Array.from({ length: 20 }, (_, index) => index);
const backoff = { minMs: 5, maxMs: 20 };

/** Starts a server that refuses this many connections behind their 101, and returns its ends of all of them. */
async function refusing(times: number, refuse: (host: RawHost) => void): Promise<RawHost[]> {
  const hosts: RawHost[] = [];
  server = await RogueServer.start((visit) => {
    const host = new RawHost(visit);
    visit.asked(() => {
      hosts.push(host);
      if (hosts.length > times) host.accept();
      else refuse(host);
    });
  });
  return hosts;
}

/** Sends 101 and a close frame, then reads whatever arrives. */
function inOnePacket(host: RawHost): void {
  host.socket.cork();
  host.accept();
  host.socket.write(closeFrame(4503, 'busy'));
  host.socket.uncork();
}

function inTwoPackets(host: RawHost): void {
  host.accept();
  host.socket.write(closeFrame(4503, 'busy'));
}

describe('a client that is refused behind the 101', { timeout: 60_000 }, () => {
  for (const [title, refuse] of [
    ['in one packet', inOnePacket],
    ['in two packets', inTwoPackets],
  ] as const) {
    it(`keeps waiting messages for the connection that is admitted, refused ${title}`, async () => {
      const hosts = await refusing(5, refuse);
      dialing = new Dialing(`ws://127.0.0.1:${server?.port}/`, { backoff, mooring: false });
      for (const number of numbers) assert.equal(dialing.client.send(number), 'queued');
      await until(() => hosts.length === 6, 'it is admitted');
      await until(() => hosts[5]?.texts.length === 20, 'everything arrives');
      assert.deepEqual(hosts[5]?.texts, numbers.map(String));
      assert.deepEqual(
        hosts.slice(0, 5).flatMap(({ texts }) => texts),
        [],
      );
      assert.equal(dialing.client.queuedMessages, 0);
    });
  }

  it('queues messages in the turn in which it opens, and returns that they wait', async () => {
    const hosts = await refusing(1, inOnePacket);
    const results: unknown[] = [];
    dialing = new Dialing(`ws://127.0.0.1:${server?.port}/`, { backoff, mooring: false });
    const { client } = dialing;
    client.status$.subscribe(({ state }) => {
      if (state === 'up') results.push(client.send('hello'));
    });
    await until(() => hosts[1]?.texts.length === 2, 'both arrive');
    assert.deepEqual(results, ['queued', 'queued']);
    assert.deepEqual([hosts[0]?.texts, hosts[1]?.texts], [[], ['"hello"', '"hello"']]);
  });

  it('sends at once again after that turn', async () => {
    const hosts = await refusing(0, inOnePacket);
    dialing = new Dialing(`ws://127.0.0.1:${server?.port}/`, { backoff, mooring: false });
    dialing.client.send('first');
    await until(() => hosts[0]?.texts.length === 1, 'it arrives');
    assert.equal(dialing.client.send('second'), 'sent');
  });

  it('reconnects with fresh credentials, and loses nothing', async () => {
    const heard: unknown[] = [];
    let asked = 0;
    const supervisor = createSupervisor({
      admission: { refusals: 'close' },
      authenticate({ headers }) {
        if (headers.authorization !== 'Bearer 3') throw new Refusal(401, 'token expired');
        return headers.authorization;
      },
      onMessage: (_connection, message) => void heard.push(message),
    });
    listener = await listen(supervisor, { path: '/ws' });
    const client = createClient(listener.url, {
      backoff,
      headers: async () => {
        asked += 1;
        return { Authorization: `Bearer ${asked}` };
      },
    });
    for (const number of numbers) client.send(number);
    await until(() => heard.length === 20, 'everything arrives');
    assert.deepEqual([heard, asked], [numbers, 3]);
    const { ending } = client.status;
    assert.ok(ending?.outcome === 'closed');
    assert.deepEqual([ending.verdict.code, ending.verdict.reason], [3000, 'token expired']);
    await client.close();
    await supervisor.drain({ withinMs: 500 });
  });
});
