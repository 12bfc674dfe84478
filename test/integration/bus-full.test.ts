// Goal: a bus that is full for a moment leaves nothing wrong behind. Method: a bus that takes messages or not, as the test says.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Bus, BusHost, BusLink } from '../../src/index.ts';
import { PlainClient } from '../support/plain-client.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

class FullBus implements Bus {
  readonly name = 'full';
  isFull = true;
  /** What has left, by channel. */
  readonly sent: { channel: string; text: string }[] = [];

  open(host: BusHost): BusLink {
    void Promise.resolve().then(() => host.moved('up'));
    return {
      payloadBytesMax: 1_000_000,
      publish: (channel, message) => {
        if (!this.isFull) this.sent.push({ channel, text: Buffer.from(message).toString() });
        return !this.isFull;
      },
      listen: () => ({ ready: Promise.resolve(), end: () => {} }),
      close: async () => {},
    };
  }
}

it('newest: an announcement that the bus was too full for is made again', async () => {
  const bus = new FullBus();
  const service = await Service.start({
    bus,
    sameKey: 'newest',
    authenticate: () => 'ada',
    key: String,
  });
  const client = await PlainClient.open(service.url);
  await until(() => service.of('connection.opened').length === 1, 'it is open');
  const { supervisor } = service;
  assert.equal(supervisor.bus, 'up');
  assert.equal(supervisor.broadcast('lost').forwarded, false);
  assert.equal(supervisor.closeKey('grace').forwarded, false);
  bus.isFull = false;
  await until(() => bus.sent.length > 0, 'it is announced');
  const [connection] = supervisor.connections;
  assert.deepEqual(
    bus.sent.map(({ channel, text }) => [channel, JSON.parse(text).newest[0][2]]),
    [['keys', connection?.id]],
  );
  client.socket.terminate();
  await supervisor.drain();
  await service.stop();
});
