import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { type Bus, type BusLink, systemClock } from '../../src/index.ts';
import { until } from './until.ts';

/** A link, and what it has told its host. */
export interface Member {
  readonly link: BusLink;
  readonly moves: string[];
  readonly errors: Error[];
}

/** Opens a link and waits until it is up. */
export async function memberOf(bus: Bus): Promise<Member> {
  const moves: string[] = [];
  const errors: Error[] = [];
  const link = bus.open({
    clock: systemClock,
    moved: (state) => moves.push(state),
    rejoined: () => {},
    errored: (error) => errors.push(error),
  });
  assert.deepEqual(moves, [], 'nothing is told from within open');
  await until(() => moves.length > 0, 'the link has moved');
  assert.deepEqual(moves, ['up']);
  return { link, moves, errors };
}

/** Makes the buses of one service: one for each of its processes, or one for all. */
export interface BusMaker {
  /** Separates the services of the tests. */
  make(service: string): Bus;
}

/** What every bus must do. */
export function busSuite(name: string, { make }: BusMaker): void {
  describe(name, () => {
    let services = 0;
    const opened: BusLink[] = [];

    async function members(count: number): Promise<Member[]> {
      services += 1;
      const shared = make(`suite-${services}`);
      const all: Member[] = [];
      for (let left = count; left > 0; left -= 1) all.push(await memberOf(shared));
      opened.push(...all.map(({ link }) => link));
      return all;
    }

    after(async () => {
      await Promise.all(opened.map((link) => link.close()));
    });

    test('a message reaches every other link that listens, and not its own', async () => {
      const [one, other, third] = (await members(3)) as [Member, Member, Member];
      const heard = [one, other, third].map((member) => listening(member, 'live/room'));
      await Promise.all(heard.map(({ ready }) => ready));
      assert.equal(one.link.publish('live/room', bytes('hello')), true);
      await until(() => heard.slice(1).every(({ texts }) => texts.length === 1), 'both have it');
      assert.deepEqual(
        heard.map(({ texts }) => texts),
        [[], ['hello'], ['hello']],
      );
    });

    test('messages of one link arrive once and in order', async () => {
      const [one, other] = (await members(2)) as [Member, Member];
      const { ready, texts } = listening(other, 'live/order');
      await ready;
      const sent = Array.from({ length: 5_000 }, (_, index) => `message ${index}`);
      for (const [index, text] of sent.entries()) {
        assert.equal(one.link.publish('live/order', bytes(text)), true);
        if (index % 100 === 0) await new Promise(setImmediate);
      }
      await until(() => texts.length >= sent.length, 'all are there');
      assert.deepEqual(texts, sent);
    });

    test('a channel hears nothing of another, whatever its name', async () => {
      const [one, other] = (await members(2)) as [Member, Member];
      const name = fc.oneof(
        fc.constantFrom(
          'a',
          'a.b',
          'a.*',
          '*',
          '>',
          'a.>',
          ' ',
          'a b',
          '$SYS',
          '$SYS.>',
          '%2E',
          '/',
        ),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
        fc.string({
          unit: fc.constantFrom('.', '*', '>', ' ', '%', '\r', '\n', '\0'),
          minLength: 1,
        }),
      );
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(name, { minLength: 2, maxLength: 8 }), async (names) => {
          const heard = names.map((topic) => listening(other, `live/${topic}`));
          await Promise.all(heard.map(({ ready }) => ready));
          for (const [index] of names.entries())
            assert.equal(one.link.publish(`live/${names[index]}`, bytes(`for ${index}`)), true);
          await until(() => heard.every(({ texts }) => texts.length > 0), 'each has its own');
          for (const [index, { texts, end }] of heard.entries()) {
            assert.deepEqual(texts, [`for ${index}`]);
            end();
          }
        }),
        { numRuns: 100 },
      );
      assert.deepEqual([...one.errors, ...other.errors], []);
    });

    test('every byte arrives, and a message may be empty or as long as the bus says', async () => {
      const [one, other] = (await members(2)) as [Member, Member];
      const heard: Buffer[] = [];
      await other.link.listen('live/bytes', (message) => heard.push(Buffer.from(message))).ready;
      const all = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
      const longest = Buffer.alloc(one.link.payloadBytesMax, 'x');
      const sent = [Buffer.alloc(0), all, longest];
      for (const message of sent) assert.equal(one.link.publish('live/bytes', message), true);
      await until(() => heard.length === sent.length, 'all are there');
      assert.deepEqual(heard, sent);
    });

    test('an interest that has ended hears nothing, and can begin again', async () => {
      const [one, other] = (await members(2)) as [Member, Member];
      const first = listening(other, 'live/again');
      const witness = listening(other, 'live/witness');
      await witness.ready;
      first.end();
      first.end();
      one.link.publish('live/again', bytes('missed'));
      one.link.publish('live/witness', bytes('seen'));
      await until(() => witness.texts.length === 1, 'a later message is there');
      assert.deepEqual(first.texts, []);
      const second = listening(other, 'live/again');
      await second.ready;
      // The first one must not end the second.
      first.end();
      one.link.publish('live/again', bytes('heard'));
      await until(() => second.texts.length === 1, 'the new interest hears');
      assert.deepEqual([first.texts, second.texts], [[], ['heard']]);
    });

    test('a listener that throws is reported, and the link goes on', async () => {
      const [one, other] = (await members(2)) as [Member, Member];
      const failing = other.link.listen('live/failing', () => {
        throw new Error('planted');
      });
      const { ready, texts } = listening(other, 'live/sound');
      await Promise.all([failing.ready, ready]);
      one.link.publish('live/failing', bytes('x'));
      one.link.publish('live/sound', bytes('y'));
      await until(() => texts.length === 1, 'the other channel hears');
      assert.deepEqual(
        other.errors.map(({ message }) => message),
        ['planted'],
      );
      assert.deepEqual(other.moves, ['up']);
    });

    test('a closed link publishes and hears nothing, and the others go on', async () => {
      const [one, other, third] = (await members(3)) as [Member, Member, Member];
      const heard = [other, third].map((member) => listening(member, 'live/closing'));
      await Promise.all(heard.map(({ ready }) => ready));
      one.link.publish('live/closing', bytes('last'));
      await one.link.close();
      await one.link.close();
      assert.equal(one.link.publish('live/closing', bytes('too late')), false);
      await other.link.close();
      assert.equal(third.link.publish('live/closing', bytes('to nobody')), true);
      await until(() => heard[1]?.texts.length === 1, 'the last message has left');
      assert.deepEqual(heard[1]?.texts, ['last']);
      assert.deepEqual([one.moves, other.moves, third.moves], [['up'], ['up'], ['up']]);
    });

    test('services with different names hear nothing of each other', async () => {
      const [one] = (await members(1)) as [Member];
      const [foreign, neighbour] = (await members(2)) as [Member, Member];
      const heard = [foreign, neighbour].map((member) => listening(member, 'live/room'));
      await Promise.all(heard.map(({ ready }) => ready));
      one.link.publish('live/room', bytes('foreign'));
      neighbour.link.publish('live/room', bytes('own'));
      await until(() => heard[0]?.texts.length === 1, 'its own message is there');
      assert.deepEqual(
        heard.map(({ texts }) => texts),
        [['own'], []],
      );
    });
  });
}

/** Collects the texts that a link hears on a channel. */
function listening({ link }: Member, channel: string) {
  const texts: string[] = [];
  const interest = link.listen(channel, (message) => texts.push(Buffer.from(message).toString()));
  return { texts, ready: interest.ready, end: () => interest.end() };
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}
