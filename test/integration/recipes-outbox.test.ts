// Goal: what a transaction commits reaches every member once and in order, whichever part fails. Method: run the recipe as
// written on a real PostgreSQL, with a bus in memory and on a real nats-server, and let a process, the database and the bus fail
// between two steps.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ClientConfig, Pool } from 'pg';
import { findNatsServer } from '../../docs/examples/lobby/nats-server.ts';
import { relayOutbox, say, type Topics } from '../../docs/examples/recipes/postgres-outbox.ts';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import { createClient } from '../../src/client/index.ts';
import {
  type Appended,
  type Bus,
  createSupervisor,
  memoryBus,
  type SupervisorOptions,
} from '../../src/index.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import type { RelayOrder } from '../support/outbox-relay-program.ts';
import { Postgres } from '../support/postgres.ts';
import { noted, served } from '../support/served.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { eventually, turns, until } from '../support/until.ts';

const PAGE = new URL('../../../docs/recipes/postgres-outbox.md', import.meta.url);
const PROGRAM = fileURLToPath(new URL('../support/outbox-relay-program.js', import.meta.url));
const ROOMS = ['room/1', 'room/2'] as const;

/** The statements of the page. */
const [, tables = ''] = /```sql\n(.*?)```/s.exec(readFileSync(PAGE, 'utf8')) ?? [];

const postgres = await Postgres.start();
after(() => postgres.end());
const nats = await JetStreamServer.start(await findNatsServer());
after(() => nats.end());

const stops = stopsAndWatch();
let services = 0;

/** The options of the bus of a new service. */
function onNats(): NatsBusOptions {
  services += 1;
  return { servers: nats.url, name: `outbox-${services}` };
}

const buses: Readonly<Record<string, () => Bus>> = {
  'a memory bus': memoryBus,
  JetStream: () => natsBus(onNats()),
};

interface Sent {
  readonly topic: string;
  readonly number: number;
}

/** A database with the tables of the page. */
class Database {
  readonly config: ClientConfig;
  readonly pool: Pool;

  private constructor(config: ClientConfig) {
    this.config = config;
    this.pool = new Pool(config);
    this.pool.on('error', () => {});
    this.pool.on('connect', (client) => client.on('error', () => {}));
    stops.add(() => this.pool.end());
  }

  static async create(statements = tables): Promise<Database> {
    return new Database(await postgres.database(statements));
  }

  /** Runs a transaction with one message. It takes a while to commit. @returns the place of its row */
  async transaction(sent: Sent, takesMs = 0, end = 'COMMIT'): Promise<number> {
    const client = await this.pool.connect();
    const { topic } = sent;
    await client.query('BEGIN');
    await client.query('SELECT append_on_commit($1, $2)', [topic, JSON.stringify(sent)]);
    const { rows } = await client.query("SELECT currval('outbox_place_seq') AS place");
    await client.query('SELECT pg_sleep($1)', [takesMs / 1_000]);
    await client.query(end);
    client.release();
    return Number(rows[0].place);
  }

  /** Commits numbers, each in a transaction of its own. */
  async commit(topic: string, first: number, last: number): Promise<void> {
    for (let number = first; number <= last; number += 1) await this.transaction({ topic, number });
  }

  async count(table: 'outbox' | 'messages', where = 'true'): Promise<number> {
    const { rows } = await this.pool.query(`SELECT count(*) FROM ${table} WHERE ${where}`);
    return Number(rows[0].count);
  }

  isRelayed(): Promise<void> {
    return eventually(async () => (await this.count('outbox')) === 0, 'the outbox is empty');
  }
}

/** A process of a service, and a member of its rooms. */
async function member(bus: Bus, options: SupervisorOptions<unknown, unknown, unknown> = {}) {
  const supervisor = createSupervisor({
    bus,
    durable: () => true,
    onOpen: (connection) => void ROOMS.map((room) => connection.join(room)),
    ...options,
  });
  const client = createClient(await served(supervisor, stops), { mooring: true });
  const { messages } = noted(client, stops);
  let told = 0;
  client.recoveries$.subscribe(() => {
    told += 1;
  });
  await until(() => told === ROOMS.length, 'the member is told where it is');
  return { supervisor, messages: messages as Sent[] };
}

/** Starts a relay, which ends with the test at the latest. */
function relay(topics: Topics, { config }: Database) {
  const stop = new AbortController();
  const errors: unknown[] = [];
  const done = relayOutbox(topics, config, stop.signal, (error) => errors.push(error));
  const end = () => {
    stop.abort();
    return done;
  };
  stops.add(end);
  return { errors, end };
}

/** The topics of a supervisor. Each append also goes through a function. */
function through(
  { supervisor }: { supervisor: Topics },
  pass: (append: () => Promise<Appended>, id: string) => Promise<Appended>,
): Topics {
  return {
    topic: (name) => ({
      append: (message, options) =>
        pass(() => supervisor.topic(name).append(message, options), options?.id ?? ''),
    }),
  };
}

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Waits until a member has as many messages of a topic, and asserts that it has exactly these. */
async function gets(
  { messages }: { messages: readonly Sent[] },
  topic: string,
  expected: readonly number[],
): Promise<void> {
  const ofTopic = () => messages.filter((message) => message.topic === topic);
  await until(() => ofTopic().length >= expected.length, `${expected.length} messages`, 30_000);
  assert.deepEqual(
    ofTopic().map(({ number }) => number),
    expected,
  );
}

/** Runs transactions that take different times, and rolls a few back. @returns what is committed, and where */
async function write(database: Database, from: number): Promise<(Sent & { place: number })[]> {
  const committed: (Sent & { place: number })[] = [];
  for (const number of numbers(from + 1, from + 20)) {
    const sent = { topic: ROOMS[(number + from / 100) % 2] ?? '', number };
    const isCommitted = number % 5 !== 0;
    const end = isCommitted ? 'COMMIT' : 'ROLLBACK';
    const place = await database.transaction(sent, (number * 7 + from / 100) % 10, end);
    if (isCommitted) committed.push({ ...sent, place });
  }
  return committed;
}

describe('docs/recipes/postgres-outbox.md', { timeout: 120_000 }, () => {
  for (const [name, makeBus] of Object.entries(buses)) {
    it(`appends what is committed once and in order, and nothing else: ${name}`, async () => {
      const database = await Database.create();
      const bus = makeBus();
      const members = [await member(bus), await member(bus)] as const;
      relay(members[0].supervisor, database);
      const writers = numbers(1, 6).map((writer) => write(database, writer * 100));
      const committed = (await Promise.all(writers)).flat();
      await database.isRelayed();
      assert.equal(committed.length, 96);
      const inOrder = committed.toSorted((one, other) => one.place - other.place);
      for (const topic of ROOMS) {
        const expected = inOrder.filter((sent) => sent.topic === topic);
        const each = expected.map(({ number }) => number);
        for (const one of members) await gets(one, topic, each);
      }
    });

    it(`lets two relays double and reorder nothing: ${name}`, async () => {
      const database = await Database.create();
      const bus = makeBus();
      const members = [await member(bus), await member(bus)] as const;
      const outcomes: string[] = [];
      const relays = members.map((each) => {
        const counted = through(each, async (append) => {
          const appended = await append();
          outcomes.push(appended.outcome);
          return appended;
        });
        return relay(counted, database);
      });
      // Whichever relays, the other one goes on.
      const committing = ROOMS.map((room) => database.commit(room, 1, 100));
      await until(() => outcomes.length >= 50, 'one relays');
      await relays[0]?.end();
      await Promise.all(committing);
      await database.isRelayed();
      assert.deepEqual(outcomes, Array(200).fill('kept'));
      const again = relay(members[0].supervisor, database);
      await relays[1]?.end();
      await Promise.all(ROOMS.map((room) => database.commit(room, 101, 120)));
      for (const each of members) for (const room of ROOMS) await gets(each, room, numbers(1, 120));
      assert.deepEqual(again.errors, []);
    });

    it(`doubles nothing when the database crashes between append and delete: ${name}`, async () => {
      const database = await Database.create();
      const alone = await member(makeBus());
      const outcomes: string[] = [];
      const crashing = through(alone, async (append) => {
        const appended = await append();
        outcomes.push(appended.outcome);
        if (outcomes.length === 3) await postgres.crash();
        return appended;
      });
      await database.commit('room/1', 1, 5);
      const { errors } = relay(crashing, database);
      await until(() => errors.length > 0, 'the relay misses the database');
      await postgres.restart();
      await database.isRelayed();
      await gets(alone, 'room/1', numbers(1, 5));
      assert.ok(outcomes.filter((outcome) => outcome === 'duplicate').length >= 3);
    });
  }

  it('wakes the relay at a commit, and also polls', async () => {
    const alone = await member(memoryBus());
    const database = await Database.create();
    relay(alone.supervisor, database);
    const begunMs = performance.now();
    for (const number of numbers(1, 20)) {
      await database.transaction({ topic: 'room/1', number });
      await gets(alone, 'room/1', numbers(1, number));
    }
    // With a poll for each message, it would take twice as long.
    assert.ok(performance.now() - begunMs < 10_000);
    const silent = await Database.create(tables.replace('NOTIFY outbox;', ''));
    relay(alone.supervisor, silent);
    await silent.commit('room/2', 1, 3);
    await gets(alone, 'room/2', numbers(1, 3));
  });

  it('keeps the data and the message of a transaction, or neither', async () => {
    const database = await Database.create();
    const { supervisor, messages } = await member(memoryBus());
    relay(supervisor, database);
    await database.pool.query("ALTER TABLE outbox ADD CHECK (topic <> 'room/2')");
    await assert.rejects(say(database.pool, '2', 'lost'), /violates check constraint/);
    await say(database.pool, '1', 'hello');
    await until(() => messages.length > 0, 'a message arrives');
    assert.deepEqual(messages as unknown, [{ type: 'said', id: '2', text: 'hello' }]);
    assert.deepEqual(await database.count('messages'), 1);
  });

  it('loses nothing while the database is away', async () => {
    const database = await Database.create();
    const { supervisor, messages } = await member(memoryBus());
    const { errors } = relay(supervisor, database);
    const sayOnce = async (text: string) => {
      const isKept = async () => (await database.count('messages', `text = '${text}'`)) > 0;
      await eventually(async () => {
        try {
          if (!(await isKept())) await say(database.pool, '1', text);
          return true;
        } catch {
          return false;
        }
      }, `${text} is kept`);
    };
    for (const number of numbers(1, 60)) {
      const saying = sayOnce(`${number}`);
      if (number % 20 === 0) {
        await postgres.crash();
        await postgres.restart();
      }
      await saying;
    }
    await database.isRelayed();
    const texts = () => (messages as unknown as { text: string }[]).map(({ text }) => text);
    await until(() => messages.length >= 60, 'all arrive');
    assert.deepEqual(
      texts(),
      numbers(1, 60).map((number) => `${number}`),
    );
    assert.ok(errors.length > 0);
  });

  it('doubles nothing when the process is killed between append and delete', async () => {
    const database = await Database.create();
    const options = onNats();
    const alone = await member(natsBus(options));
    await database.commit('room/1', 1, 5);
    const order: RelayOrder = { bus: options, database: database.config, rows: 3 };
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = fork(PROGRAM, [JSON.stringify(order)], { env, execArgv: [] });
    stops.add(() => child.kill('SIGKILL'));
    assert.deepEqual(await once(child, 'message'), ['kept', undefined]);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await gets(alone, 'room/1', numbers(1, 3));
    assert.equal(await database.count('outbox'), 5);
    const outcomes: string[] = [];
    const counted = through(alone, async (append) => {
      const appended = await append();
      outcomes.push(appended.outcome);
      return appended;
    });
    relay(counted, database);
    await database.isRelayed();
    await gets(alone, 'room/1', numbers(1, 5));
    assert.deepEqual(outcomes, ['duplicate', 'duplicate', 'duplicate', 'kept', 'kept']);
  });

  it('tries again what the bus has not confirmed', async () => {
    const database = await Database.create();
    const alone = await member(natsBus(onNats()), { timeouts: { appendMs: 200 } });
    let unconfirmed = 0;
    alone.supervisor.events$.subscribe(({ type }) => {
      if (type === 'append.unconfirmed') unconfirmed += 1;
    });
    const { errors } = relay(alone.supervisor, database);
    nats.freeze();
    stops.add(() => nats.thaw());
    await database.commit('room/1', 1, 5);
    await until(() => unconfirmed >= 2, 'the bus has not confirmed a row twice');
    assert.equal(await database.count('outbox'), 5);
    nats.thaw();
    await database.isRelayed();
    await gets(alone, 'room/1', numbers(1, 5));
    assert.deepEqual(errors, []);
  });

  it('leaves the rows to another process if its own does not reach the bus', async () => {
    const database = await Database.create();
    const alone = await member(memoryBus());
    let tries = 0;
    const cutOff = through(alone, async (_append, id) => {
      tries += 1;
      return { outcome: 'unconfirmed', id };
    });
    relay(cutOff, database);
    await database.commit('room/1', 1, 5);
    await until(() => tries > 0, 'the first one tries');
    relay(alone.supervisor, database);
    await gets(alone, 'room/1', numbers(1, 5));
  });

  it('lets a topic wait whose first row cannot be appended, and no other topic', async () => {
    const database = await Database.create();
    const alone = await member(memoryBus());
    const { errors } = relay(alone.supervisor, database);
    // Longer than a message of the bus may be.
    const tooLong = JSON.stringify({ topic: 'room/1', number: 0, text: 'x'.repeat(1_048_576) });
    await database.pool.query("SELECT append_on_commit('room/1', $1)", [tooLong]);
    // More than the relay reads at once.
    await database.pool.query(
      `SELECT append_on_commit('room/1', json_build_object('topic', 'room/1', 'number', number))
       FROM generate_series(1, 150) number`,
    );
    await database.commit('room/2', 1, 5);
    await gets(alone, 'room/2', numbers(1, 5));
    await gets(alone, 'room/1', []);
    assert.match(String(errors[0]), /message/);
    await database.pool.query('DELETE FROM outbox WHERE length(message::text) > 1000');
    await database.isRelayed();
    await gets(alone, 'room/1', numbers(1, 150));
  });

  it('finishes the row under way when it is stopped, and begins no other one', async () => {
    const database = await Database.create();
    const alone = await member(memoryBus());
    let begun = 0;
    let go: () => void = () => {};
    const mayGo = new Promise<void>((resolve) => {
      go = resolve;
    });
    const waiting = through(alone, async (append) => {
      begun += 1;
      await mayGo;
      return append();
    });
    await database.commit('room/1', 1, 3);
    const { end } = relay(waiting, database);
    await until(() => begun === 1, 'the first row is under way');
    let isOver = false;
    const ending = end().then(() => {
      isOver = true;
    });
    await turns(50);
    assert.equal(isOver, false);
    go();
    await ending;
    assert.equal(begun, 1);
    await gets(alone, 'room/1', [1]);
    assert.equal(await database.count('outbox'), 2);
  });
});
