// Goal: sharing the frames of a turn changes how often members are visited, and nothing else. Method: a supervisor over fake
// sockets; each member must get what a queue of its own would hold, in any order of calls.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Connection, Delivery } from '../../src/index.ts';
import { untilCollected } from '../support/garbage.ts';
import { type Member, Stage } from './fan-out-stage.ts';

/** Lets members end while they are apart, and names them afterwards; only weak references to them are left. */
function leaveApart(stage: Stage): WeakRef<object>[] {
  const connections = Array.from({ length: 3 }, () => stage.open().connection);
  stage.endTurn();
  for (const connection of connections) connection.join('lobby');
  stage.publish('1');
  for (const connection of connections) connection.send('own');
  stage.endTurn();
  for (const connection of connections) connection.terminate();
  stage.endTurn();
  stage.supervisor.topic('lobby').publish('2', { except: connections });
  stage.endTurn();
  stage.members.length = 0;
  return connections.map((connection) => new WeakRef(connection));
}

/** Calls `act` before the first write to a socket, as if other code had wrapped its method. */
function beforeWrite({ socket }: Member, act: () => void): void {
  const { write } = socket;
  socket.write = (chunk, written) => {
    socket.write = write;
    act();
    return socket.write(chunk, written);
  };
}

/** Lets a write in mid-flush fail while the socket still has a backlog. Only a weak reference to the member is left. */
function failInMidFlush(stage: Stage): WeakRef<object>[] {
  const { connection, socket } = stage.open();
  connection.join('lobby');
  stage.endTurn();
  socket.write = () => {
    Object.defineProperty(socket, 'writableLength', { value: 1 });
    throw new Error('somebody has wrapped it');
  };
  stage.publish('1');
  stage.endTurn();
  assert.equal(connection.state, 'closed');
  stage.members.length = 0;
  return [new WeakRef(connection)];
}

const writesOf = (members: readonly Member[]) => members.map(({ writes }) => writes);

describe('what a turn publishes', () => {
  it('leaves in one write for each member, which is visited once', () => {
    const stage = new Stage();
    const members = stage.crowd(50, 'lobby');
    const messages = Array.from({ length: 16 }, (_, at) => `m${at}`);
    for (const message of messages) {
      assert.deepEqual(stage.publish(message), {
        delivered: 50,
        kept: 0,
        dropped: 0,
        forwarded: false,
      });
    }
    const before = members.map(({ socket }) => socket.visits);
    assert.deepEqual(new Set(before), new Set([0]));
    assert.deepEqual(
      writesOf(members),
      members.map(() => []),
    );
    stage.endTurn();
    assert.deepEqual(
      writesOf(members),
      members.map(() => [messages]),
    );
    const visits = members.map(({ socket }) => socket.visits);
    assert.deepEqual(new Set(visits), new Set([1]));
  });

  it('has the order of publication across topics and broadcasts', () => {
    const stage = new Stage();
    const [a, b, c] = stage.crowd(3) as [Member, Member, Member];
    for (const topic of ['red', 'blue']) a.connection.join(topic);
    b.connection.join('blue');
    stage.publish('1', 'blue');
    stage.supervisor.broadcast('2');
    stage.publish('3', 'red');
    stage.publish('4', 'blue');
    stage.endTurn();
    assert.deepEqual(writesOf([a, b, c]), [[['1', '2', '3', '4']], [['1', '2', '4']], [['2']]]);
  });

  it('is joined once for all members of the same audiences, even for those that end before the turn', () => {
    const stage = new Stage();
    const members = stage.crowd(4, 'red');
    const chunks: unknown[] = [];
    for (const { socket, connection } of members) {
      connection.join('blue');
      const write = socket.write.bind(socket);
      socket.write = (chunk, written) => {
        chunks.push(chunk);
        return write(chunk, written);
      };
    }
    for (const topic of ['red', 'blue']) stage.publish(topic, topic);
    stage.endTurn();
    assert.deepEqual([chunks.length, new Set(chunks).size], [4, 1]);
    for (const topic of ['red', 'blue']) stage.publish(topic, topic);
    for (const { connection } of members) connection.close();
    assert.deepEqual([chunks.length, new Set(chunks).size], [8, 2]);
  });

  it('stands before what a member is sent, and before what is published after that', () => {
    const stage = new Stage();
    const [a, b] = stage.crowd(2, 'lobby') as [Member, Member];
    stage.publish('1');
    assert.equal(a.connection.send('own'), 'queued');
    stage.publish('2');
    assert.equal(a.connection.send('own 2'), 'queued');
    stage.endTurn();
    assert.deepEqual(writesOf([a, b]), [[['1', 'own', '2', 'own 2']], [['1', '2']]]);
    stage.publish('3');
    stage.publish('4');
    stage.endTurn();
    assert.deepEqual(
      writesOf([a, b]).map((writes) => writes.at(-1)),
      [
        ['3', '4'],
        ['3', '4'],
      ],
    );
  });

  it('stands before a message whose flush is awaited, before a pong, and before a close frame', async () => {
    const stage = new Stage();
    const [a, b, c] = stage.crowd(3, 'lobby') as [Member, Member, Member];
    stage.publish('1');
    const flushed = a.connection.sendAndFlush('own');
    b.socket.reader?.readPing();
    c.connection.close(1000);
    assert.deepEqual(b.kinds, ['data', 'pong']);
    assert.deepEqual(c.kinds, ['data', 'close']);
    assert.deepEqual(stage.publish('2'), { delivered: 2, kept: 0, dropped: 0, forwarded: false });
    stage.endTurn();
    assert.equal(await flushed, 'sent');
    assert.deepEqual(writesOf([a, b, c]), [[['1', 'own', '2']], [['1'], ['2']], [['1']]]);
  });

  it('is not for who joins or opens after it, and is for who leaves after it', () => {
    const stage = new Stage();
    const [a, b] = stage.crowd(2) as [Member, Member];
    a.connection.join('lobby');
    stage.publish('1');
    stage.supervisor.broadcast('to all');
    b.connection.join('lobby');
    a.connection.leave('lobby');
    const late = stage.open();
    stage.publish('2');
    stage.supervisor.broadcast('to more');
    stage.endTurn();
    assert.deepEqual(
      [a.got, b.got, late.got],
      [['1', 'to all', 'to more'], ['to all', '2', 'to more'], ['to more']],
    );
  });

  it('counts as buffered until it has left', () => {
    const stage = new Stage();
    const [a, b] = stage.crowd(2, 'lobby') as [Member, Member];
    const [, other] = [a.connection.join('other'), stage.publish('12345678', 'other')];
    assert.equal(other.delivered, 1);
    stage.publish('1234');
    assert.deepEqual([a.connection.bufferedBytes, b.connection.bufferedBytes], [20, 8]);
    a.connection.send('12');
    assert.equal(a.connection.bufferedBytes, 26);
    stage.endTurn();
    assert.deepEqual([a.connection.bufferedBytes, b.connection.bufferedBytes], [0, 0]);
  });

  it('leaves before the end of the turn when it has more bytes than the high mark', () => {
    const stage = new Stage({ limits: { outboxHighBytes: 1_000, outboxLowBytes: 100 } });
    const [a] = stage.crowd(1, 'lobby') as [Member];
    const long = 'x'.repeat(400);
    for (const mark of ['1', '2', '3']) stage.publish(mark + long);
    assert.deepEqual(
      a.writes.map((write) => write.map(([first]) => first)),
      [['1', '2']],
    );
    assert.ok(a.connection.bufferedBytes <= 1_000);
    stage.endTurn();
    assert.deepEqual(
      a.got.map(([first]) => first),
      ['1', '2', '3'],
    );
  });

  it('may hold one message that is longer than the high mark, which is accepted as before', () => {
    const stage = new Stage({ limits: { outboxHighBytes: 1_000, outboxLowBytes: 100 } });
    const [a, b] = stage.crowd(2, 'lobby') as [Member, Member];
    stage.publish('1');
    assert.deepEqual(stage.publish('x'.repeat(5_000)), {
      delivered: 2,
      kept: 0,
      dropped: 0,
      forwarded: false,
    });
    stage.publish('2');
    stage.endTurn();
    for (const { got } of [a, b])
      assert.deepEqual(
        got.map(({ length }) => length),
        [1, 5_000, 1],
      );
  });

  it('is shared with everybody but those whom `except` names, who share again afterwards', () => {
    const stage = new Stage();
    const [a, b, c] = stage.crowd(3, 'lobby') as [Member, Member, Member];
    stage.publish('1');
    const but = stage.supervisor.topic('lobby').publish('2', { except: a.connection });
    assert.deepEqual(but, { delivered: 2, kept: 0, dropped: 0, forwarded: false });
    stage.publish('3');
    stage.supervisor.topic('lobby').publish('4', { except: [b.connection, a.connection] });
    stage.endTurn();
    assert.deepEqual(writesOf([a, b, c]), [
      [['1', '3']],
      [['1', '2', '3']],
      [['1', '2', '3', '4']],
    ]);
    for (const { socket } of [a, b, c]) socket.visits = 0;
    for (const message of ['5', '6', '7']) stage.publish(message);
    // Whoever was apart is looked at once, then shares.
    assert.deepEqual(
      [a, b, c].map(({ socket }) => socket.visits),
      [1, 1, 0],
    );
    stage.endTurn();
    assert.deepEqual(a.writes.at(-1), ['5', '6', '7']);
  });

  it('reaches all others when the socket of a member that is apart throws', () => {
    const stage = new Stage();
    const [a, b] = stage.crowd(2, 'lobby') as [Member, Member];
    stage.publish('1');
    a.connection.send('own');
    stage.endTurn();
    const writable = {
      get(): never {
        throw new Error('somebody has wrapped it');
      },
    };
    Object.defineProperty(a.socket, 'writable', writable);
    assert.throws(() => stage.supervisor.broadcast('2'), /wrapped it/);
    stage.endTurn();
    assert.deepEqual(b.got, ['1', '2']);
  });

  it('does not end a member twice that is closed while pongs wait, if the last write fails', () => {
    const stage = new Stage({ limits: { outboxHighBytes: 1_000, outboxLowBytes: 100 } });
    const [{ connection, socket, kinds }] = stage.crowd(1, 'lobby') as [Member];
    const reports: string[] = [];
    stage.supervisor.events$.subscribe(({ type }) => reports.push(type));
    stage.publish('x'.repeat(600));
    Object.defineProperty(socket, 'writableLength', { get: () => 900, configurable: true });
    socket.write = () => {
      throw new Error('somebody has wrapped it');
    };
    assert.ok(connection.close());
    Reflect.deleteProperty(socket, 'writableLength');
    stage.endTurn();
    assert.deepEqual(kinds, ['close']);
    assert.ok(!reports.includes('connection.errored'));
  });

  it('holds nobody who has left: neither who was apart, nor who was named when it was over', async () => {
    const stage = new Stage();
    stage.crowd(2, 'lobby');
    const refs = leaveApart(stage);
    await untilCollected(refs);
  });

  it('holds nobody whose write has failed in mid-flush', async () => {
    const stage = new Stage();
    stage.crowd(2, 'lobby');
    await untilCollected(failInMidFlush(stage));
  });

  for (const topics of [['lobby'], ['lobby', 'red']])
    it(`comes before all that happens in mid-flush, with ${topics.length} audiences`, () => {
      const stage = new Stage();
      const members = stage.crowd(5, 'lobby') as [Member, Member, Member, Member, Member];
      for (const { connection } of members) connection.join('red');
      const [a, b, c, d, e] = members;
      const late = stage.open();
      stage.endTurn();
      for (const topic of topics) stage.publish(topic, topic);
      beforeWrite(a, () => {
        a.connection.send('to itself');
        b.connection.send('own');
        c.connection.close();
        d.connection.terminate();
        late.connection.join('lobby');
        assert.equal(stage.publish('answer').delivered, 4);
      });
      stage.endTurn();
      const rest = [
        [...topics, 'own', 'answer'],
        topics,
        topics,
        [...topics, 'answer'],
        ['answer'],
      ];
      assert.deepEqual(
        [b, c, d, e, late].map(({ got }) => got),
        rest,
      );
      assert.deepEqual(a.got.toSorted(), [...topics, 'answer', 'to itself'].toSorted());
    });

  it('leaves nobody out whom `except` cannot mean: an object that is no connection, one of another supervisor', () => {
    const [stage, other] = [new Stage(), new Stage()];
    stage.crowd(2, 'lobby');
    const [stranger] = other.crowd(1, 'lobby') as [Member];
    const except = [{}, { id: 'c1' }, stranger.connection] as Connection[];
    const delivery = stage.supervisor.topic('lobby').publish('1', { except });
    assert.deepEqual(delivery, { delivered: 2, kept: 0, dropped: 0, forwarded: false });
    assert.equal(stage.supervisor.broadcast('2', { except }).delivered, 2);
  });
});

const TOPICS = ['red', 'blue', 'green'];

/** A message that fills the outbox of whoever gets it. */
const LONG_BYTES = 20_000;

const evenOnly = ({ id }: Connection) => Number.parseInt(id.slice(1), 36) % 2 === 0;

/** A stage, and beside it a queue for each member with what it must get. */
class Model {
  readonly stage = new Stage({ limits: { outboxHighBytes: 1_000, outboxLowBytes: 100 } });
  readonly #queues = new Map<Member, string[]>();
  readonly #topics = new Map<Member, Set<string>>();

  add(members: readonly Member[]): void {
    for (const member of members) {
      this.#queues.set(member, []);
      this.#topics.set(member, new Set());
    }
  }

  /** Whether a member is in a topic. */
  in(topic: string): (member: Member) => boolean {
    return (member) => this.#topics.get(member)?.has(topic) === true;
  }

  published(message: string, { delivered }: Delivery, isFor: (member: Member) => boolean): void {
    let count = 0;
    for (const [member, queue] of this.#queues) {
      if (member.connection.state !== 'open' || !isFor(member)) continue;
      queue.push(message);
      count += 1;
    }
    assert.equal(delivered, count);
  }

  sent(message: string, member: Member): void {
    this.#queues.get(member)?.push(message);
  }

  join(member: Member, topic: string): void {
    if (member.connection.join(topic)) this.#topics.get(member)?.add(topic);
  }

  leave(member: Member, topic: string): void {
    if (member.connection.leave(topic)) this.#topics.get(member)?.delete(topic);
  }

  check(): void {
    for (const [member, queue] of this.#queues) assert.deepEqual(member.got, queue);
  }
}

interface Deed {
  readonly what: keyof typeof deeds;
  readonly who: number;
  readonly topic: string;
  readonly bytes: number;
}

interface Moment extends Deed {
  readonly model: Model;
  readonly member: Member;
  readonly message: string;
}

const deeds = {
  publish({ model, topic, message }: Moment): void {
    const delivery = model.stage.supervisor.topic(topic).publish(message);
    model.published(message, delivery, model.in(topic));
  },
  broadcast({ model, message }: Moment): void {
    model.published(message, model.stage.supervisor.broadcast(message), () => true);
  },
  except({ model, topic, message, member }: Moment): void {
    const except = member.connection;
    const delivery = model.stage.supervisor.topic(topic).publish(message, { except });
    const isIn = model.in(topic);
    model.published(message, delivery, (one) => isIn(one) && one !== member);
  },
  where({ model, message }: Moment): void {
    const delivery = model.stage.supervisor.broadcast(message, { where: evenOnly });
    model.published(message, delivery, ({ connection }) => evenOnly(connection));
  },
  publishLong(moment: Moment): void {
    const { model } = moment;
    // In a turn of its own: nobody is congested before it or behind it.
    model.stage.endTurn();
    deeds.publish({ ...moment, message: `${moment.message}${'x'.repeat(LONG_BYTES)}` });
    model.stage.endTurn();
  },
  send({ model, member, message }: Moment): void {
    if (member.connection.send(message) !== 'refused') model.sent(message, member);
  },
  sendAndFlush({ model, member, message }: Moment): void {
    if (member.connection.state !== 'open') return;
    void member.connection.sendAndFlush(message);
    model.sent(message, member);
  },
  join: ({ model, member, topic }: Moment) => model.join(member, topic),
  leave: ({ model, member, topic }: Moment) => model.leave(member, topic),
  ping({ member }: Moment): void {
    if (member.connection.state === 'open') member.socket.reader?.readPing();
  },
  open: ({ model }: Moment) => model.add([model.stage.open()]),
  close: ({ member }: Moment) => void member.connection.close(),
  terminate: ({ member }: Moment) => void member.connection.terminate(),
  endTurn: ({ model }: Moment) => model.stage.endTurn(),
};

const often = ['publish', 'publish', 'join'] as const;

const anyDeed: fc.Arbitrary<Deed> = fc.record({
  what: fc.constantFrom(...often, ...(Object.keys(deeds) as (keyof typeof deeds)[])),
  who: fc.nat(5),
  topic: fc.constantFrom(...TOPICS),
  bytes: fc.constantFrom(1, 1, 1, 20, 300, 900),
});

describe('a member of several audiences', () => {
  it('gets what a queue of its own would hold, whatever happens meanwhile', () => {
    const run = (plan: readonly Deed[]) => {
      const model = new Model();
      model.add(model.stage.crowd(4));
      for (const [index, deed] of plan.entries()) {
        const { members } = model.stage;
        const member = members[deed.who % members.length] as Member;
        const message = `${index} ${'x'.repeat(deed.bytes)}`;
        deeds[deed.what]({ ...deed, model, member, message });
      }
      model.stage.endTurn();
      model.check();
    };
    fc.assert(fc.property(fc.array(anyDeed, { maxLength: 60 }), run), { numRuns: 500 });
  });
});
