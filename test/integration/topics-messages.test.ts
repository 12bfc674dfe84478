// Goal: `topic.messages$` emits what is published in the topic, after the members have it, and affects nobody. Method:
// real sockets beside subscribers that record, answer, throw and leave.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { of, takeWhile } from 'rxjs';
import { z } from 'zod';
import { caughtUp, crowd, type Member } from '../support/crowd.ts';
import { untilCollected } from '../support/garbage.ts';
import { Service } from '../support/service.ts';

let service: Service;
let members: Member[];

async function start(count: number, options: Parameters<typeof Service.start>[0] = {}) {
  service = await Service.start(options);
  members = await crowd(service, count);
  for (const { connection } of members) connection.join('lobby');
  return service.supervisor;
}

const topic = (name = 'lobby') => service.supervisor.topic(name);

/** Records the publications of a topic. */
function listen(name = 'lobby'): unknown[] {
  const heard: unknown[] = [];
  topic(name).messages$.subscribe((message) => heard.push(message));
  return heard;
}

/** What a member received, without its mark. */
async function textsOf(member: Member): Promise<unknown[]> {
  await caughtUp(member, 'mark');
  return member.peer.texts.slice(0, -1).map((text) => JSON.parse(text) as unknown);
}

describe('topic.messages$', () => {
  afterEach(() => service.stop());

  it('emits publications through any handle and from any Observable, unchanged if there is no contract', async () => {
    const supervisor = await start(1);
    const heard = listen();
    const message = { at: new Date(0) };
    topic().publish(message);
    supervisor.topic('lobby', { overflow: 'latest' }).publish('view');
    of('fed', 'twice').subscribe(topic());
    topic('kitchen').publish('elsewhere');
    supervisor.broadcast('everywhere');
    assert.deepEqual(heard, [message, 'view', 'fed', 'twice']);
    assert.equal(heard[0], message, 'the object itself, before the codec');
  });

  it('emits publications that reach nobody: without members, and when all are excluded', async () => {
    const supervisor = await start(1);
    const heard = listen();
    topic().publish('for nobody', { where: () => false });
    const empty = listen('empty');
    supervisor.topic('empty').publish('into the void');
    members[0]?.connection.leave('lobby');
    topic().publish('still');
    members[0]?.connection.join('lobby');
    topic().publish('again');
    assert.deepEqual([heard, empty], [['for nobody', 'still', 'again'], ['into the void']]);
  });

  it('never emits a refused publication', async () => {
    await start(1, { sends: z.string() });
    const heard = listen();
    assert.throws(() => topic().publish(7), { code: 'invalid-message' });
    topic().next(8);
    topic().publish('good');
    assert.deepEqual(heard, ['good']);
  });

  it('emits after the fan-out: answers follow in the same order for members and listeners', async () => {
    await start(3);
    const answers = new Map<unknown, string>([
      ['one', 'two'],
      ['two', 'three'],
    ]);
    topic().messages$.subscribe((message) => {
      for (const { connection } of members) assert.ok(connection.bufferedBytes > 0, 'all have it');
      const answer = answers.get(message);
      if (answer !== undefined) topic().publish(answer);
    });
    const heard = listen();
    topic().publish('one');
    assert.deepEqual(heard, ['one', 'two', 'three']);
    for (const member of members) assert.deepEqual(await textsOf(member), heard);
    assert.deepEqual(service.of('handler.errored'), []);
  });

  it('keeps its order across topics', async () => {
    await start(0);
    const heard: unknown[] = [];
    topic('a').messages$.subscribe((message) => {
      if (message !== 'a1') return;
      topic('b').publish('b1');
      topic('a').publish('a2');
    });
    for (const name of ['a', 'b'])
      topic(name).messages$.subscribe((message) => heard.push(message));
    topic('a').publish('a1');
    assert.deepEqual(heard, ['a1', 'b1', 'a2']);
  });

  for (const [way, fail] of [
    ['throws', () => assert.fail('boom')],
    ['rejects', () => Promise.reject(new Error('boom'))],
  ] as const) {
    it(`reports a subscriber that ${way}, and affects neither members nor other subscribers`, async () => {
      await start(2);
      topic().messages$.subscribe(fail);
      const heard = listen();
      assert.equal(topic().publish('one').delivered, 2);
      topic().publish('two');
      assert.deepEqual(heard, ['one', 'two']);
      for (const member of members) assert.deepEqual(await textsOf(member), ['one', 'two']);
      const reported = service.of('handler.errored');
      assert.deepEqual(
        reported.map(({ handler, error, connection }) => [handler, error.message, connection]),
        new Array(2).fill(['topic.messages$', 'boom', undefined]),
      );
    });
  }

  it('completes when the supervisor has stopped, also for later subscribers', async () => {
    const supervisor = await start(1);
    const ended: string[] = [];
    const listenTo = (name: string) =>
      topic(name).messages$.subscribe({
        complete: () => ended.push(`${name} ${supervisor.state}`),
      });
    const held = topic('held');
    for (const name of ['lobby', 'empty']) listenTo(name);
    void members[0]?.peer.finishPolitely();
    await supervisor.drain({ withinMs: 10_000 });
    assert.deepEqual(ended, ['lobby stopped', 'empty stopped']);
    held.messages$.subscribe({ complete: () => ended.push('held') });
    listenTo('new');
    assert.deepEqual(ended.slice(2), ['held', 'new stopped']);
  });

  it('continues although nobody holds the topic, and ends with its last subscriber', async () => {
    await start(0);
    const heard: unknown[] = [];
    const handle = new WeakRef(topic());
    // Nobody holds the subscription either. It ends by itself.
    topic()
      .messages$.pipe(takeWhile((message) => message !== 'bye'))
      .subscribe((message) => heard.push(message));
    await untilCollected([new WeakRef(topic('unheld'))]);
    topic().publish('hi');
    assert.deepEqual(heard, ['hi']);
    assert.equal(topic(), handle.deref());
    topic().publish('bye');
    topic().publish('too late');
    await untilCollected([handle]);
    assert.deepEqual(heard, ['hi']);
  });

  it('can feed another topic', async () => {
    await start(1);
    members[0]?.connection.join('copy');
    topic().messages$.subscribe(topic('copy'));
    topic().publish('hi');
    assert.deepEqual(await textsOf(members[0] as Member), ['hi', 'hi']);
  });
});
