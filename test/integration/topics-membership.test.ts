import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { caughtUp, crowd, type Member } from '../support/crowd.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

type AnyConnection = Connection<unknown, unknown, unknown>;

const TOPIC = 'arena';
const MEMBERS = 10;
const ROUNDS = 40;

/** A small generator of numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is known about a connection from the acts on it. */
interface Fate {
  readonly member: Member;
  isMember: boolean;
  isOpen: boolean;
  /** Its socket was destroyed: sent messages may not have arrived. */
  isCut: boolean;
  /** It has left since the publication began. If it returns, it may get or miss it. */
  hasLeft: boolean;
  readonly must: number[];
  readonly may: number[];
}

/** Does random things to random members during publications. */
class Mischief {
  readonly fates: Fate[];
  readonly #random: () => number;

  constructor(members: readonly Member[], random: () => number) {
    this.#random = random;
    this.fates = members.map((member) => {
      member.connection.join(TOPIC);
      const fate = { isMember: true, isOpen: true, isCut: false, hasLeft: false };
      return { ...fate, member, must: [], may: [] };
    });
  }

  fateOf(connection: AnyConnection): Fate {
    const fate = this.fates.find(({ member }) => member.connection === connection);
    assert.ok(fate);
    return fate;
  }

  /** Does mischief and returns true or false. */
  answer(): boolean {
    const yes = this.#random() < 0.8;
    for (let count = 0; count < 2; count += 1) if (this.#random() < 0.5) this.#act();
    return yes;
  }

  #act(): void {
    const fate = this.fates[Math.floor(this.#random() * this.fates.length)];
    if (fate !== undefined) this.#actOn(fate, this.#random());
  }

  #actOn(fate: Fate, dice: number): void {
    const { connection, peer } = fate.member;
    if (dice < 0.45) {
      assert.equal(connection.join(TOPIC), fate.isOpen);
      fate.isMember = fate.isOpen;
    } else if (dice < 0.9) {
      assert.equal(connection.leave(TOPIC), fate.isOpen && fate.isMember);
      fate.isMember = false;
      fate.hasLeft = true;
    } else {
      const ended = dice < 0.96 ? connection.close(4000) : connection.terminate();
      if (dice < 0.96 || fate.isOpen) assert.equal(ended, fate.isOpen);
      if (dice < 0.96) void peer.finishPolitely();
      else fate.isCut = true;
      fate.isOpen = false;
      fate.isMember = false;
    }
  }
}

describe('membership in the middle of a broadcast', () => {
  let service: Service;
  afterEach(() => service.stop());

  /** Publishes with a `where` that does mischief, and records who must get it. */
  function publishAmid(mischief: Mischief, round: number): void {
    const audience = mischief.fates.filter(({ isMember }) => isMember);
    for (const fate of mischief.fates) fate.hasLeft = false;
    const asked: AnyConnection[] = [];
    const accepted: Fate[] = [];
    const where = (connection: AnyConnection) => {
      asked.push(connection);
      const fate = mischief.fateOf(connection);
      assert.ok(
        audience.includes(fate),
        'the filter is called only for members from before the publication',
      );
      assert.ok(
        fate.isOpen && fate.isMember,
        'the filter is never called for a connection that has gone meanwhile',
      );
      const yes = mischief.answer();
      if (yes) accepted.push(fate);
      return yes;
    };
    const { delivered, dropped } = service.supervisor.topic(TOPIC).publish(round, { where });
    // The filter is called for all first, then the remaining members are written to.
    for (const fate of accepted.filter(({ isOpen, isMember }) => isOpen && isMember)) {
      (fate.hasLeft ? fate.may : fate.must).push(round);
    }
    const must = mischief.fates.filter((fate) => fate.must.includes(round)).length;
    const may = mischief.fates.filter((fate) => fate.may.includes(round)).length;
    assert.equal(dropped, 0);
    assert.ok(
      delivered >= must && delivered <= must + may,
      `${delivered}: ${must} to ${must + may}`,
    );
    assert.equal(new Set(asked).size, asked.length, 'the filter is called once for each');
  }

  async function assertReceived({ member, must, may, isOpen, isCut }: Fate): Promise<void> {
    const { peer } = member;
    if (isOpen) await caughtUp(member, 'end');
    else await until(() => peer.closed, 'it is gone');
    const got = peer.texts.filter((text) => text !== '"end"').map(Number);
    const ascending = [...new Set(got)].sort((a, b) => a - b);
    assert.deepEqual(got, ascending, 'in order, and nothing twice');
    const missing = must.filter((round) => !got.includes(round));
    if (!isCut) assert.deepEqual(missing, []);
    assert.deepEqual(
      got.filter((round) => !must.includes(round) && !may.includes(round)),
      [],
      'nothing that was not for it',
    );
  }

  for (const seed of [1, 2, 3, 5, 8, 13, 21, 34]) {
    it(`where callbacks that join, leave, close and terminate: seed ${seed}`, async () => {
      service = await Service.start();
      const mischief = new Mischief(await crowd(service, MEMBERS), seeded(seed));
      for (let round = 1; round <= ROUNDS; round += 1) {
        publishAmid(mischief, round);
        const members = mischief.fates.filter(({ isMember }) => isMember).length;
        assert.equal(service.supervisor.topic(TOPIC).size, members);
      }
      for (const fate of mischief.fates) await assertReceived(fate);
      assert.deepEqual(service.of('handler.errored'), []);
      const { open } = service.supervisor.counts;
      assert.equal(open, mischief.fates.filter(({ isOpen }) => isOpen).length);
    });
  }

  it('listeners of events$ that end and move others: they run when everybody has the publication', async () => {
    service = await Service.start({
      limits: { outboxHighBytes: 200_000, outboxLowBytes: 1_000 },
    });
    const members = await crowd(service, MEMBERS);
    for (const { connection } of members) connection.join(TOPIC);
    const [first, closed, left, moved, ...others] = members;
    const cut = others.pop();
    assert.ok(first && closed && left && moved && cut);
    first.peer.pause();
    await fillBacklog(first.connection, 100_000);
    service.supervisor.events$.subscribe(({ type }) => {
      if (type !== 'connection.congested') return;
      closed.connection.close(4000, 'meanwhile');
      left.connection.leave(TOPIC);
      moved.connection.leave(TOPIC);
      moved.connection.join(TOPIC);
      cut.connection.terminate();
    });
    const message = 'y'.repeat(150_000);
    const { delivered } = service.supervisor.topic(TOPIC).publish(message);
    assert.equal(service.of('connection.congested').length, 1);
    const times = ({ peer }: Member) => peer.texts.filter((text) => text.includes('yy')).length;
    await Promise.all([left, moved, ...others].map((member) => caughtUp(member, 'end')));
    await closed.peer.finishPolitely();
    await until(() => closed.peer.closed && cut.peer.closed, 'two are gone');
    assert.equal(delivered, MEMBERS);
    assert.deepEqual([closed, left, moved].map(times), [1, 1, 1]);
    assert.deepEqual(others.map(times), new Array(others.length).fill(1));
    first.peer.destroy();
  });

  it('a member that leaves in its filter call never gets the publication', async () => {
    service = await Service.start();
    const [member] = await crowd(service, 1);
    assert.ok(member);
    member.connection.join(TOPIC);
    const where = (connection: AnyConnection) => connection.leave(TOPIC);
    assert.equal(service.supervisor.topic(TOPIC).publish('late', { where }).delivered, 0);
    await caughtUp(member, 'end');
    assert.deepEqual(member.peer.texts, ['"end"']);
  });

  it('a connection that joins meanwhile misses it, even when the topic had been emptied', async () => {
    service = await Service.start();
    const members = await crowd(service, 3);
    const [a, b, c] = members;
    assert.ok(a && b && c);
    for (const { connection } of [a, b]) connection.join(TOPIC);
    const where = () => {
      for (const { connection } of [a, b]) connection.leave(TOPIC);
      for (const { connection } of [c, b, a]) connection.join(TOPIC);
      return true;
    };
    service.supervisor.topic(TOPIC).publish('first', { where });
    assert.equal(service.supervisor.topic(TOPIC).size, 3);
    assert.equal(service.supervisor.topic(TOPIC).publish('second').delivered, 3);
    for (const member of members) {
      await caughtUp(member, 'end');
      const count = member.peer.texts.filter((text) => text === '"first"').length;
      assert.ok(count <= (member === c ? 0 : 1));
      assert.equal(member.peer.texts.filter((text) => text === '"second"').length, 1);
    }
  });

  it('a broadcast within a broadcast reaches everybody once, in the same order', async () => {
    service = await Service.start();
    const members = await crowd(service, 4);
    let nested = 0;
    const outer = service.supervisor.broadcast('outer', {
      where: () => {
        nested += 1;
        if (nested === 2) service.supervisor.broadcast('inner');
        return true;
      },
    });
    assert.equal(outer.delivered, 4);
    for (const member of members) {
      await caughtUp(member, 'end');
      assert.deepEqual(member.peer.texts.slice(0, -1), ['"inner"', '"outer"']);
    }
  });

  it('a publication in response to an event has the same place for everybody', async () => {
    service = await Service.start({
      limits: { outboxHighBytes: 200_000, outboxLowBytes: 1_000 },
    });
    const members = await crowd(service, 5);
    for (const { connection } of members) connection.join(TOPIC);
    const [, , slow] = members;
    assert.ok(slow);
    slow.peer.pause();
    await fillBacklog(slow.connection, 100_000);
    const topic = service.supervisor.topic(TOPIC);
    service.supervisor.events$.subscribe(({ type }) => {
      if (type === 'connection.congested') topic.publish('answer');
    });
    topic.publish('z'.repeat(150_000));
    for (const member of members) {
      if (member === slow) continue;
      await caughtUp(member, 'end');
      const initials: string[] = member.peer.texts.map((text) => text.slice(1, 3));
      assert.deepEqual(initials, ['zz', 'an', 'en']);
    }
    slow.peer.destroy();
  });

  it('resets of many members in the middle of many broadcasts affect no others', async () => {
    service = await Service.start();
    const members = await crowd(service, 20);
    for (const { connection } of members) connection.join(TOPIC);
    const stay = members.filter((_, index) => index % 2 === 0);
    const go = members.filter((_, index) => index % 2 === 1);
    const sent: number[] = [];
    const publish = () => {
      sent.push(sent.length);
      service.supervisor.topic(TOPIC).publish(sent.at(-1));
    };
    for (const { peer } of go) {
      publish();
      peer.reset();
      publish();
    }
    await until(() => {
      publish();
      return service.supervisor.topic(TOPIC).size === stay.length;
    }, 'half of them are gone');
    publish();
    for (const member of stay) {
      await caughtUp(member, 'end');
      assert.deepEqual(member.peer.texts.slice(0, -1).map(Number), sent);
    }
    await until(() => service.inFlight === stay.length, 'all events are in');
    assert.equal(service.of('connection.closed').length, go.length);
  });
});
