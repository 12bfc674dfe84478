// Goal: the recipes about users hold in every process. Method: run them on two supervisors that share a bus, in memory and
// over a real nats-server.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, describe, it } from 'node:test';
import { findNatsServer } from '../../docs/examples/lobby/nats-server.ts';
import { onePerUser, whenReplaced } from '../../docs/examples/recipes/one-connection.ts';
import { type Session, userService } from '../../docs/examples/recipes/user-anywhere.ts';
import { natsBus } from '../../src/bus/nats/index.ts';
import { createClient } from '../../src/client/index.ts';
import { type Bus, memoryBus, type Supervisor } from '../../src/index.ts';
import { NatsServer } from '../support/nats-server.ts';
import { PlainClient, refusedWith } from '../support/plain-client.ts';
import { noted, served, shortly } from '../support/served.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const server = await NatsServer.start(await findNatsServer());
after(() => server.kill());

const stops = stopsAndWatch();
let services = 0;

/** The bus of a new service. */
const buses: Readonly<Record<string, () => Bus>> = {
  'a memory bus': memoryBus,
  'a NATS bus': () => {
    services += 1;
    return natsBus({ servers: server.url, name: `recipe-${services}` });
  },
};

const userOf = ({ headers }: IncomingMessage) => headers['x-user'] as string | undefined;
const as = (user: string) => ({ headers: { 'X-User': user } });

async function areUp(...supervisors: readonly Pick<Supervisor, 'bus'>[]): Promise<void> {
  await until(() => supervisors.every(({ bus }) => bus === 'up'), 'all are up');
}

/** Waits until what one process publishes to a topic is heard in another: until a probe arrives. */
async function heard(client: PlainClient, publish: (probe: string) => unknown): Promise<void> {
  const before = client.messages.length;
  while (client.messages.length === before) {
    publish('probe');
    await turns(5);
  }
}

const withoutProbes = ({ messages }: PlainClient) =>
  messages.filter((message) => (message as unknown) !== 'probe');

describe('docs/recipes/one-connection.md', () => {
  for (const [name, makeBus] of Object.entries({ 'no bus': () => undefined, ...buses })) {
    it(`keeps the newer connection of a user, permanently: ${name}`, async () => {
      const bus = makeBus();
      const one = onePerUser(userOf, bus);
      const other = bus === undefined ? one : onePerUser(userOf, bus);
      const url = await served(one, stops);
      const otherUrl = other === one ? url : await served(other, stops);
      if (bus !== undefined) await areUp(one, other);
      const up = async (at: string, user: string) => {
        const client = createClient(at, as(user));
        const { endings } = noted(client, stops);
        let replaced = 0;
        whenReplaced(client, () => {
          replaced += 1;
        });
        await until(() => client.status.state === 'up', 'it is up');
        return { client, endings, replaced: () => replaced };
      };
      const older = await up(url, 'ada');
      const bob = await up(otherUrl, 'bob');
      const newer = await up(otherUrl, 'ada');
      await until(() => older.client.status.state === 'exhausted', 'the older one gives up');
      assert.deepEqual(shortly(older.endings), ['4409 replaced']);
      assert.deepEqual([older.replaced(), newer.replaced(), bob.replaced()], [1, 0, 0]);
      older.client.dialNow();
      await until(() => newer.client.status.state === 'exhausted', 'the newer one gives up');
      assert.equal(older.client.status.state, 'up');
      assert.deepEqual([bob.client.status.state, bob.endings, newer.replaced()], ['up', [], 1]);
      assert.equal(await refusedWith(url), 401);
    });
  }
});

/** Sessions of one user each, in the memory of this process. */
class SessionStore {
  readonly #ended = new Set<string>();
  /** Delays the next answers of `find`. */
  delay: Promise<void> = Promise.resolve();
  readonly find = async (request: IncomingMessage): Promise<Session | undefined> => {
    const userId = userOf(request);
    const found =
      userId !== undefined && !this.#ended.has(userId) ? { id: '1', userId } : undefined;
    await this.delay;
    return found;
  };
  readonly isValid = async ({ userId }: Session) => !this.#ended.has(userId);
  readonly endAll = async (userId: string) => {
    this.#ended.add(userId);
  };
}

describe('docs/recipes/user-anywhere.md', () => {
  for (const [name, makeBus] of Object.entries(buses)) {
    async function scene() {
      const [bus, sessions] = [makeBus(), new SessionStore()];
      const [one, other] = [userService(sessions, bus), userService(sessions, bus)];
      const urls = [await served(one.supervisor, stops), await served(other.supervisor, stops)];
      await areUp(one.supervisor, other.supervisor);
      const open = (process: number, user: string) =>
        PlainClient.open(urls[process] ?? '', as(user));
      return { one, other, sessions, open, urls };
    }

    it(`sends to a user in every process: ${name}`, async () => {
      const { one, other, open } = await scene();
      const clients = [await open(0, 'ada'), await open(1, 'ada'), await open(1, 'bob')] as const;
      const [here, there, bob] = clients;
      await until(() => other.supervisor.topic('user/ada').size === 1, 'it has joined');
      await heard(there, (probe) => one.send('ada', probe));
      one.send('ada', { text: 'from here' });
      await there.hears(1);
      await heard(here, (probe) => other.send('ada', probe));
      other.send('ada', { text: 'from there' });
      for (const client of [here, there])
        await until(() => withoutProbes(client).length === 2, 'both messages');
      assert.deepEqual(withoutProbes(here), [{ text: 'from here' }, { text: 'from there' }]);
      assert.deepEqual(withoutProbes(there), [{ text: 'from here' }, { text: 'from there' }]);
      assert.deepEqual(bob.messages, []);
    });

    it(`signs a user out in every process, and connections that are about to open: ${name}`, async () => {
      const { one, sessions, open, urls } = await scene();
      const [here, there, bob] = [await open(0, 'ada'), await open(1, 'ada'), await open(1, 'bob')];
      let admit: () => void = () => {};
      sessions.delay = new Promise((resolve) => {
        admit = resolve;
      });
      const opening = open(1, 'ada');
      await turns(20);
      await one.signOut('ada');
      admit();
      for (const client of [here, there, await opening])
        assert.equal(await client.isClosed(), '3000 signed out');
      assert.equal(bob.closed, '');
      assert.equal(await refusedWith(urls[0] ?? '', as('ada')), 401);
    });
  }

  it('closes what it could not hear of during an outage, when the bus is up again', async () => {
    const bus = natsBus({ servers: server.url, name: 'recipe-outage' });
    const sessions = new SessionStore();
    const [one, other] = [userService(sessions, bus), userService(sessions, bus)];
    const url = await served(other.supervisor, stops);
    stops.add(() => one.supervisor.drain());
    await areUp(one.supervisor, other.supervisor);
    const [ada, bob] = [
      await PlainClient.open(url, as('ada')),
      await PlainClient.open(url, as('bob')),
    ];
    await server.kill();
    await until(() => one.supervisor.bus === 'down' && other.supervisor.bus === 'down', 'away');
    await one.signOut('ada');
    await turns(20);
    assert.equal(ada.closed, '');
    await server.restart();
    assert.equal(await ada.isClosed(), '3000 signed out');
    assert.equal(bob.closed, '');
  });
});
