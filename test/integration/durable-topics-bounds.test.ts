// Goal: members of durable topics, and names that they invent, cost a bounded amount, and a drain ends. Method: a client
// that knows only docs/protocol.md, and raw peers, on real sockets.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { afterEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { createClient } from '../../src/client/index.ts';
import {
  type Bus,
  type BusLog,
  createSupervisor,
  type Entry,
  type LogHost,
  memoryBus,
} from '../../src/index.ts';
import type { ByThePage } from '../support/by-the-page.ts';
import { ACK, append, durable, gets, offering, ROOM, resumed } from '../support/durable-client.ts';
import { RawPeer } from '../support/raw-peer.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const stops = new Stops();
afterEach(() => stops.all());

const { serve, client } = durable(stops);

/** Lets a peer read nothing until its outbox is full. Returns its connection. */
async function congest({ supervisor }: Service, { socket }: ByThePage) {
  const [connection] = [...supervisor.connections];
  socket.pause();
  await until(() => {
    connection?.send('x'.repeat(60_000));
    return connection?.flow === 'congested';
  }, 'it is congested');
  return connection;
}

describe('what a peer can make a durable topic cost', () => {
  it('positions are read strictly, and only texts that may be positions are kept', async () => {
    const service = await serve({ limits: { payloadBytesMax: 8_192 } });
    const first = await client(service);
    const [position = ''] = await append(service, 1, 1);
    await gets(first, 1);
    // More than the server takes in one message: they come in several headings.
    const many = Array.from({ length: 300 }, (_, at) => [`room/${at}${'x'.repeat(60)}`, position]);
    const mooring = createClient(service.url, {
      mooring: true,
      positions: { ...Object.fromEntries(many), [ROOM]: position },
    });
    const told: unknown[] = [];
    mooring.recoveries$.subscribe((recovery) => told.push(recovery));
    stops.add(() => mooring.close());
    await until(() => told.length > 0, 'it is told');
    assert.deepEqual(told, [resumed]);
    const nested = await RawPeer.open(service.port, offering);
    stops.add(() => nested.destroy());
    nested.text(`\u0001${JSON.stringify(['from', { [ROOM]: [[[{}]]], x: 7 }])}`);
    nested.text(ACK);
    await until(() => nested.texts.length === 2, 'it is told');
    assert.match(String(nested.texts[1]), /false,"reset"/);
  });

  it('is told later that it has left, if its outbox was full', async () => {
    const service = await serve({ limits: { outboxHighBytes: 65_536, outboxLowBytes: 1_024 } });
    const peer = await client(service);
    await append(service, 1, 1);
    await gets(peer, 1);
    const connection = await congest(service, peer);
    assert.equal(connection?.leave(ROOM), true);
    assert.ok(peer.positions.has(ROOM));
    peer.socket.resume();
    await until(() => !peer.positions.has(ROOM), 'it is told');
  });

  it('is closed if it cannot be told of 2,000 topics that it has left', async () => {
    const service = await serve({ limits: { outboxHighBytes: 65_536, outboxLowBytes: 1_024 } });
    const peer = await client(service);
    const connection = await congest(service, peer);
    const leaveNext = (number: number) => {
      connection?.join(`room/invented/${number}`);
      connection?.leave(`room/invented/${number}`);
    };
    for (let number = 0; number < 2_000; number += 1) leaveNext(number);
    assert.equal(connection?.state, 'open');
    leaveNext(2_000);
    const { verdict } = await service.when('connection.closed');
    assert.equal(verdict.cause, 'missed-messages');
  });

  it('topics that it has invented and left are followed no more', async () => {
    const logs = new Set<string>();
    const bus = memoryBus();
    const spied: Bus = {
      name: 'spied',
      open: (host) => {
        const link = bus.open(host);
        const { openLog } = link;
        return Object.assign(link, {
          openLog: (logHost: LogHost) => {
            const log = openLog?.call(link, logHost) as BusLog;
            const { follow } = log;
            return Object.assign(log, {
              follow: (topic: string, heard: (entry: Entry) => void) => {
                logs.add(topic);
                const interest = follow.call(log, topic, heard);
                const end = () => {
                  logs.delete(topic);
                  interest.end();
                };
                return { ready: interest.ready, end };
              },
            });
          },
        });
      },
    };
    const service = await serve({ bus: spied });
    await client(service);
    const [connection] = [...service.supervisor.connections];
    for (let batch = 0; batch < 20; batch += 1) {
      const names = Array.from({ length: 100 }, (_, at) => `room/${batch}/${at}`);
      for (const name of names) connection?.join(name);
      // A log that does not follow its topic yet is closed at once.
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const name of names) connection?.leave(name);
    }
    assert.ok(logs.size > 500, `${logs.size} are followed, so that members may come back`);
    assert.ok(logs.size < 1_100, `${logs.size} are followed`);
  });

  it('a bus that keeps nothing is refused, and left', async () => {
    let isClosed = false;
    const link = {
      payloadBytesMax: 1,
      publish: () => true,
      listen: () => ({ ready: Promise.resolve(), end: () => {} }),
      close: async () => {
        isClosed = true;
      },
    };
    const bus = { name: 'plain', open: () => link };
    assert.throws(() => createSupervisor({ bus, durable: () => true }), {
      code: 'invalid-options',
      message: /durable: the bus keeps no messages/,
    });
    assert.equal(isClosed, true);
  });
});

it('a drain with an append under way ends, although nothing else keeps the process alive', async () => {
  const program = `
    import { createSupervisor } from ${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)};
    import { natsBus } from ${JSON.stringify(new URL('../../src/bus/nats/index.js', import.meta.url).href)};
    const bus = natsBus({ servers: 'nats://127.0.0.1:1' });
    const supervisor = createSupervisor({ bus, durable: () => true, onHandlerError() {} });
    supervisor.events$.subscribe();
    const appended = supervisor.topic('x').append(1);
    await supervisor.drain({ withinMs: 200 });
    console.log((await appended).outcome);`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
  assert.equal(stdout.trim(), 'unconfirmed');
});
