import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

/** What an application easily sends by mistake. */
const message = { items: [{}, {}, { tags: new Set(['new']) }] };

const refused = {
  code: 'unencodable-message',
  message:
    'the json codec cannot encode the message: items[2].tags is a Set, which has no JSON form; send an array made of it',
};

describe('a message that JSON would damage', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('is refused by send, publish and broadcast, and nothing is written', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    connection.join('lobby');
    const topic = service.supervisor.topic('lobby');
    assert.throws(() => connection.send(message), refused);
    assert.throws(() => topic.publish(message), refused);
    assert.throws(() => service.supervisor.broadcast(message), refused);
    topic.next(message);
    const { handler, error } = await service.when('handler.errored');
    assert.deepEqual([handler, error.message], ['topic', refused.message]);
    connection.send({ items: [{}] });
    await until(() => peer.texts.length > 0, 'the good one arrives');
    assert.deepEqual(peer.texts, ['{"items":[{}]}']);
    peer.sendClose(1000);
    await service.closedAs({ code: 1000, level: 'info' });
  });

  it('is refused by a client, open or not, and not queued', async () => {
    service = await Service.start();
    const client = createClient(service.url);
    assert.throws(() => client.send(message), refused);
    client.send({ items: [{}] });
    await until(() => service.messages.length > 0, 'the good one arrives');
    assert.throws(() => client.send(message), refused);
    await client.close();
    assert.deepEqual(service.messages, [{ items: [{}] }]);
  });
});
