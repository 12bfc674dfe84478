// Goal: what supervisors tell each other about keys survives a full bus, and cannot be multiplied. Method: a bus that takes
// messages or not, and delivers what the test says.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Bus, BusHost, BusLink } from '../../src/index.ts';
import { PlainClient } from '../support/plain-client.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

class ScriptedBus implements Bus {
  readonly name = 'scripted';
  isFull = false;
  payloadBytesMax = 1_000_000;
  /** What has left, by channel. */
  readonly sent: { channel: string; text: string }[] = [];

  readonly listeners = new Map<string, (message: Uint8Array) => void>();

  open(host: BusHost): BusLink {
    const { payloadBytesMax } = this;
    void Promise.resolve().then(() => host.moved('up'));
    return {
      payloadBytesMax,
      publish: (channel, message) => {
        if (!this.isFull) this.sent.push({ channel, text: Buffer.from(message).toString() });
        return !this.isFull;
      },
      listen: (channel, heard) => {
        this.listeners.set(channel, heard);
        return { ready: Promise.resolve(), end: () => {} };
      },
      close: async () => {},
    };
  }
}

let bus: ScriptedBus;
let service: Service;
let client: PlainClient;

/** Starts a service with one connection, whose key is `ada`. */
async function start(isFull: boolean): Promise<void> {
  bus = new ScriptedBus();
  bus.isFull = isFull;
  const keyed = { authenticate: () => 'ada', key: String };
  service = await Service.start({ bus, sameKey: 'newest', ...keyed });
  client = await PlainClient.open(service.url);
  await until(() => service.of('connection.opened').length === 1, 'it is open');
}

/** The channels of what has left, and the ids of the connections that were announced. */
function announced() {
  return bus.sent.map(({ channel, text }) => [
    channel,
    ...JSON.parse(text).newest.map(([, , id]: unknown[]) => id),
  ]);
}

describe('newest', () => {
  afterEach(async () => {
    client.socket.terminate();
    await service.supervisor.drain();
    await service.stop();
  });

  it('an announcement that the bus was too full for is made again', async () => {
    await start(true);
    const { supervisor } = service;
    assert.equal(supervisor.bus, 'up');
    assert.equal(supervisor.broadcast('lost').forwarded, false);
    assert.equal(supervisor.closeKey('grace').forwarded, false);
    bus.isFull = false;
    await until(() => bus.sent.length > 0, 'it is announced');
    const [connection] = supervisor.connections;
    assert.deepEqual(announced(), [['keys', connection?.id]]);
  });

  it('one message is answered once for each connection, however often it has its key', async () => {
    await start(false);
    bus.sent.length = 0;
    const newest = Array.from({ length: 1_000 }, () => ['ada', 1, 'older']);
    bus.listeners.get('keys')?.(Buffer.from(JSON.stringify({ newest })));
    const [connection] = service.supervisor.connections;
    assert.deepEqual(announced(), [['keys', connection?.id]]);
  });
});

describe('newest, on a bus for short messages', () => {
  it('announces as many keys at a time as fit', async () => {
    bus = new ScriptedBus();
    bus.isFull = true;
    bus.payloadBytesMax = 400;
    service = await Service.start({
      ...{ bus, sameKey: 'newest', authenticate: ({ url = '' }) => url.slice(-1) },
      key: (peer) => `\u0001ä${peer}`.repeat(10),
    });
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const clients = await Promise.all(
      names.map((name) => PlainClient.open(`${service.url}?${name}`)),
    );
    await until(() => service.of('connection.opened').length === names.length, 'all are open');
    bus.isFull = false;
    const ids = () => announced().flatMap(([, ...some]) => some);
    await until(() => ids().length >= names.length, 'all are announced');
    assert.equal(new Set(ids()).size, names.length);
    const sizes = bus.sent.map(({ text }) => Buffer.byteLength(text));
    assert.ok(sizes.length < names.length && sizes.every((size) => size <= 400), `${sizes}`);
    assert.deepEqual(service.of('handler.errored'), []);
    for (const { socket } of clients) socket.terminate();
    await service.supervisor.drain();
    await service.stop();
  });
});

describe('many', () => {
  it('the other processes hear something when the bus is up', async () => {
    bus = new ScriptedBus();
    service = await Service.start({ bus });
    await service.when('bus.up');
    assert.deepEqual(bus.sent, [{ channel: 'keys', text: '{"newest":[]}' }]);
    await service.supervisor.drain();
    await service.stop();
  });
});
