// Goal: topics, broadcasts and keys reach members in every process over a real nats-server. Method: supervisors with a connection
// to it each, and real sockets.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { natsBus } from '../../src/bus/nats/index.ts';
import { NatsServer } from '../support/nats-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { Nodes } from '../support/nodes.ts';
import { nodesSuite } from '../support/nodes-suite.ts';
import { eventually, until } from '../support/until.ts';

const newest = await newestNatsServer();
const server = await NatsServer.start(newest);
after(() => server.kill());
let services = 0;

nodesSuite(`NATS bus with nats-server ${newest.version}`, (count) => {
  services += 1;
  const name = `service-${services}`;
  return Array.from({ length: count }, () => natsBus({ servers: server.url, name }));
});

describe('a supervisor on a NATS bus', () => {
  it('subscribes to the topics that have members or listeners there, and to no others', async () => {
    const name = 'interest';
    const nodes = await Nodes.start([natsBus({ servers: server.url, name })]);
    const [service] = nodes.services;
    const own = ['interest.1.all', 'interest.1.keys'];
    const untilSubjects = (topics: readonly string[]) =>
      eventually(async () => {
        const subjects = (await server.subjects()).filter((subject) => subject.startsWith(name));
        return subjects.sort().join() === [...own, ...topics].sort().join();
      }, `the server counts ${topics.length} topics`);
    await untilSubjects([]);
    const one = await nodes.member(0, []);
    const other = await nodes.member(0, []);
    for (const { connection } of [one, other]) connection.join('room/1');
    one.connection.join('a.*.>');
    await untilSubjects(['interest.1.live.room%2F1', 'interest.1.live.a%2E%2A%2E%3E']);
    one.connection.leave('room/1');
    one.connection.terminate();
    await untilSubjects(['interest.1.live.room%2F1']);
    const topic = nodes.supervisor(0).topic('listened to');
    topic.publish('to nobody');
    const subscription = topic.messages$.subscribe();
    await untilSubjects(['interest.1.live.room%2F1', 'interest.1.live.listened%20to']);
    subscription.unsubscribe();
    other.connection.leave('room/1');
    await untilSubjects([]);
    assert.equal(service?.of('handler.errored').length, 0);
    await nodes.stop();
    await eventually(
      async () => !(await server.subjects()).some((subject) => subject.startsWith(name)),
      'it has left',
    );
  });
});

describe('any topic name', () => {
  it('is one topic on every node, or is refused', async () => {
    const buses = ['hostile', 'hostile'].map((name) => natsBus({ servers: server.url, name }));
    const nodes = await Nodes.start(buses);
    const here = await nodes.member(0, []);
    const name = fc.oneof(
      fc.string({
        unit: fc.constantFrom('.', '*', '>', ' ', '%', '\ud800', '\udc00', '$', 'a', '\n'),
        minLength: 1,
      }),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }),
      fc.constantFrom('$SYS.>', '>', '.', '_INBOX.>', 'x'.repeat(10_000), '\udfff'),
    );
    await fc.assert(
      fc.asyncProperty(name, async (topic) => {
        const isValid = topic.isWellFormed() && Buffer.byteLength(topic) <= 256;
        if (!isValid) {
          assert.throws(() => here.connection.join(topic), { code: 'invalid-topic' });
          assert.throws(() => nodes.supervisor(1).topic(topic), { code: 'invalid-topic' });
          return;
        }
        const before = here.peer.texts.length;
        here.connection.join(topic);
        const subjects = async () =>
          (await server.subjects()).filter((one) => one.startsWith('hostile.1.live.'));
        await eventually(async () => (await subjects()).length === 1, 'it is one subject');
        const [subject = ''] = await subjects();
        assert.match(subject, /^hostile\.1\.live\.[^.*>\s]+$/);
        nodes
          .supervisor(1)
          .topic(`${topic.slice(0, 200)}!`)
          .publish('for another');
        nodes.supervisor(1).topic(topic).publish('for it');
        await until(() => here.peer.texts.length > before, 'it arrives');
        assert.deepEqual(here.peer.texts.slice(before), ['"for it"']);
        here.connection.leave(topic);
      }),
      { numRuns: 40 },
    );
    await nodes.stop();
  });
});
