// Goal: the members of a topic, the list of topics, and the beginning and end of each are available and reported, and a
// topic is one object. Method: real sockets, and subscribers that change what they receive.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type Connection, logLine } from '../../src/index.ts';
import { caughtUp, crowd, type Member } from '../support/crowd.ts';
import { untilCollected } from '../support/garbage.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

let service: Service;
let members: Member[];

async function start(count: number, options: Parameters<typeof Service.start>[0] = {}) {
  service = await Service.start(options);
  members = await crowd(service, count);
  return members.map(({ connection }) => connection);
}

const topic = (name = 'lobby') => service.supervisor.topic(name);
const idsIn = (name = 'lobby') => [...topic(name).connections].map(({ id }) => id);

describe('topic.connections', () => {
  afterEach(() => service.stop());

  it('are the public handles of the members', async () => {
    const [a, b, c] = await start(3);
    assert.deepEqual([...topic().connections], []);
    for (const connection of [a, c]) connection?.join('lobby');
    b?.join('kitchen');
    assert.deepEqual([...topic().connections], [a, c]);
    assert.deepEqual([...service.supervisor.topic('lobby', {}).connections], [a, c]);
    a?.leave('lobby');
    c?.terminate();
    assert.deepEqual([...topic().connections], []);
  });

  it('skip a member that has left or ended before its turn, and yield none twice', async () => {
    const connections = await start(5);
    for (const connection of connections) connection.join('lobby');
    const [a, b, c, d, e] = connections;
    const visited: string[] = [];
    for (const connection of topic().connections) {
      visited.push(connection.id);
      assert.equal(connection.state, 'open');
      b?.leave('lobby');
      c?.terminate();
      // It is now behind all others, and has had its turn.
      connection.leave('lobby');
      connection.join('lobby');
    }
    assert.deepEqual(visited, [a?.id, d?.id, e?.id]);
    assert.deepEqual(idsIn(), visited);
  });

  it('can be excluded from a publication to all', async () => {
    const [a] = await start(2);
    a?.join('lobby');
    const { delivered } = service.supervisor.broadcast('hi', { except: topic().connections });
    assert.equal(delivered, 1);
  });
});

describe('supervisor.topics', () => {
  afterEach(() => service.stop());

  const sizes = () =>
    Object.fromEntries([...service.supervisor.topics].map((t) => [t.name, t.size]));

  it('are those with members, and their sizes', async () => {
    const [a, b] = await start(2);
    assert.deepEqual(sizes(), {});
    for (const connection of [a, b]) connection?.join('lobby');
    a?.join('kitchen');
    // Neither a handle nor a listener makes a member.
    const held = topic('held');
    const listening = topic('heard').messages$.subscribe();
    assert.deepEqual(sizes(), { lobby: 2, kitchen: 1 });
    b?.leave('lobby');
    a?.close();
    assert.deepEqual(sizes(), {});
    assert.equal(held.size, 0);
    listening.unsubscribe();
  });

  it('may change while they are iterated', async () => {
    const [a] = await start(1);
    for (const name of ['one', 'two', 'three']) a?.join(name);
    const visited: string[] = [];
    for (const { name } of service.supervisor.topics) {
      visited.push(name);
      a?.leave('two');
      a?.leave(name);
      a?.join(name);
    }
    assert.deepEqual(visited, ['one', 'three']);
  });
});

describe('topic.opened and topic.closed', () => {
  afterEach(() => service.stop());

  const topicEvents = () =>
    service.events.flatMap((event) => ('topic' in event ? [`${event.type} ${event.topic}`] : []));

  it('are emitted for the first member and for the last, however it leaves', async () => {
    const [a, b] = await start(2);
    a?.join('lobby');
    b?.join('lobby');
    b?.join('lobby');
    a?.leave('lobby');
    assert.deepEqual(topicEvents(), ['topic.opened lobby']);
    members[1]?.peer.reset();
    await until(() => topicEvents().length === 2, 'it is reported');
    assert.deepEqual(topicEvents(), ['topic.opened lobby', 'topic.closed lobby']);
    a?.join('lobby');
    a?.terminate();
    assert.deepEqual(topicEvents().slice(2), ['topic.opened lobby', 'topic.closed lobby']);
  });

  it('follow their causes, when the connection has left completely, and precede the stop', async () => {
    const [a] = await start(1);
    a?.join('lobby');
    service.supervisor.events$.subscribe((event) => {
      if (event.type !== 'topic.closed') return;
      assert.notEqual(a?.state, 'open');
      assert.deepEqual([topic().size, [...service.supervisor.connections]], [0, []]);
    });
    void members[0]?.peer.finishPolitely();
    await service.supervisor.drain({ withinMs: 10_000 });
    assert.deepEqual(
      service.events.map(({ type }) => type),
      [
        ...['connection.opened', 'topic.opened', 'supervisor.draining', 'connection.closing'],
        ...['topic.closed', 'connection.closed', 'supervisor.stopped'],
      ],
    );
    assert.deepEqual(service.of('handler.errored'), []);
  });

  it('are never emitted in the middle of a fan-out', async () => {
    const connections = await start(3, { limits: { outboxHighBytes: 2_000, outboxLowBytes: 500 } });
    for (const connection of connections) connection.join('lobby');
    const [slow] = connections;
    slow?.join('its own');
    service.supervisor.events$.subscribe((event) => {
      if (event.type === 'topic.closed') topic().publish('an answer');
    });
    members[0]?.peer.pause();
    // It ends because of the others' messages: it is above its high mark, and the policy is close.
    const strict = service.supervisor.topic('lobby', { overflow: 'close' });
    while (slow?.state === 'open') {
      strict.publish('x'.repeat(1_500));
      await turns();
    }
    assert.deepEqual(topicEvents().slice(2), ['topic.closed its own']);
    for (const member of members.slice(1)) {
      await caughtUp(member, 'mark');
      assert.deepEqual(
        member.peer.texts.slice(-3, -1).map((text) => text.slice(0, 4)),
        ['"xxx', '"an '],
      );
    }
    members[0]?.peer.destroy();
  });

  for (const where of ['topic', 'broadcast'] as const) {
    it(`follow a fan-out whose filter joins and leaves: ${where}`, async () => {
      const connections = await start(3);
      for (const connection of connections) connection.join('lobby');
      const heard: string[] = [];
      let isAsking = false;
      service.supervisor.events$.subscribe((event) => {
        if (!('topic' in event)) return;
        heard.push(`${event.type} ${event.topic}`);
        assert.equal(isAsking, false, 'the filter is not asked any more');
        // It is behind the current publication.
        topic().publish('an answer');
      });
      const filter = (connection: Connection) => {
        isAsking = true;
        connection.join(`own ${connection.id}`);
        if (connection === connections[0]) connection.leave(`own ${connection.id}`);
        isAsking = false;
        return true;
      };
      if (where === 'topic') topic().publish('first', { where: filter });
      else service.supervisor.broadcast('first', { where: filter });
      const [a, b, c] = connections.map(({ id }) => `own ${id}`);
      assert.deepEqual(heard, [
        ...[`topic.opened ${a}`, `topic.closed ${a}`, `topic.opened ${b}`, `topic.opened ${c}`],
      ]);
      for (const member of members) {
        await caughtUp(member, 'mark');
        assert.deepEqual(member.peer.texts.slice(0, 2), ['"first"', '"an answer"']);
      }
    });
  }

  it('follow their causes, although a filter ends a connection after it has changed others', async () => {
    const [a, b] = await start(2);
    a?.join('lobby');
    b?.join('lobby');
    b?.join('its own');
    const before = service.events.length;
    const where = (connection: Connection) => {
      if (connection === a) {
        a?.join('before');
        b?.terminate();
        a?.join('after');
      }
      return true;
    };
    const { delivered } = topic().publish('hi', { where });
    assert.equal(delivered, 1);
    const told = service.events.slice(before).map((event) => {
      return 'topic' in event ? `${event.type} ${event.topic}` : event.type;
    });
    const place = (name: string) => told.indexOf(name);
    assert.deepEqual(told.slice(0, 1), ['topic.opened before']);
    assert.ok(place('connection.closing') < place('topic.closed its own'), told.join());
    assert.ok(place('topic.closed its own') < place('topic.opened after'), told.join());
  });

  it('are emitted in order to all, although one of them joins and leaves in response', async () => {
    const [a] = await start(1);
    const heard: string[] = [];
    service.supervisor.events$.subscribe((event) => {
      if (event.type === 'topic.opened' && event.topic === 'lobby') {
        a?.join('kitchen');
        a?.leave('lobby');
      }
    });
    service.supervisor.events$.subscribe((event) => {
      if ('topic' in event) heard.push(`${event.type} ${event.topic}`);
    });
    a?.join('lobby');
    assert.deepEqual(heard, ['topic.opened lobby', 'topic.opened kitchen', 'topic.closed lobby']);
  });

  it('are log lines, and their topic cannot begin a line of its own', async () => {
    const [a] = await start(1);
    a?.join('lob\nby');
    const [event] = service.of('topic.opened');
    assert.ok(event);
    assert.deepEqual(logLine(event), {
      level: 'info',
      fields: { event: 'topic.opened', topic: 'lob\\u000aby' },
      message: 'topic.opened: lob\\u000aby',
    });
  });
});

describe('the handle of a topic', () => {
  afterEach(() => service.stop());

  it('is the same object while the topic has members, or somebody holds it', async () => {
    const [a] = await start(1);
    const lobby = topic();
    assert.equal(topic(), lobby);
    a?.join('lobby');
    assert.equal(topic(), lobby);
    assert.deepEqual([lobby.name, lobby.size], ['lobby', 1]);
    a?.leave('lobby');
    assert.equal(topic(), lobby);
    a?.join('lobby');
    assert.deepEqual([lobby.size, topic()], [1, lobby]);
    assert.notEqual(topic('kitchen'), lobby);
  });

  it('remains the same object through garbage collection while there are members, although nobody holds it', async () => {
    const [a] = await start(1);
    a?.join('lobby');
    const mark = new WeakRef(topic());
    const other = new WeakRef(topic('unheld'));
    await untilCollected([other]);
    assert.equal(topic(), mark.deref());
    a?.leave('lobby');
    await untilCollected([mark]);
    a?.join('lobby');
    assert.equal(topic().size, 1);
  });

  it('with options is a view: another object of the same audience', async () => {
    const [a] = await start(1);
    const view = service.supervisor.topic('lobby', { overflow: 'latest' });
    assert.notEqual(view, topic());
    assert.notEqual(view, service.supervisor.topic('lobby', { overflow: 'latest' }));
    a?.join('lobby');
    assert.deepEqual([view.name, view.size, view.messages$], ['lobby', 1, topic().messages$]);
    const canonical = new WeakRef(topic());
    a?.leave('lobby');
    await untilCollected([new WeakRef(topic('unheld'))]);
    assert.equal(topic(), canonical.deref(), 'a view keeps the topic alive');
    assert.equal(view.size, 0);
  });
});
