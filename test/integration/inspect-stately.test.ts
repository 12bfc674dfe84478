// Goal: an inspector shows the life of connections, and none of the secrets of the application or a peer. Method:
// Stately's own conversion, an adapter that keeps everything sent, and a secret in everything that can hold one.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import type { InspectionEvent as XStateEvent } from 'xstate';
import {
  createClient,
  createPool,
  type InspectionEvent,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import { SupervisedPool } from '../../src/client/pool/supervised-pool.ts';
import { SupervisedClient } from '../../src/client/supervised-client.ts';
import { ManagedConnection } from '../../src/connection/managed-connection.ts';
import { admitted, type SupervisorOptions } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const SECRET = 's3cret';
const quick: NodeClientOptions = { backoff: { minMs: 1, maxMs: 5, stableMs: 20 } };
const LIFE_BYTES_MAX = 10_000;

/** An error of an application. Its message, a field and its cause contain what it knows. */
class LeakyError extends Error {
  readonly secret = SECRET;

  constructor() {
    super(SECRET, { cause: { secret: SECRET } });
  }
}

/** The name of the chart of an actor. */
function chartOf(actor: InspectionEvent['actorRef']): string {
  return (actor as unknown as { logic: { config: { id: string } } }).logic.config.id;
}

function leak(): never {
  throw new LeakyError();
}

/** Everything that a Stately inspector sends, and what it received. */
class Watched {
  readonly raw: InspectionEvent[] = [];
  readonly sent: string[] = [];
  /** An observer with a method that needs its `this`. */
  readonly inspect = {
    watched: this as Watched,
    next(event: InspectionEvent): void {
      this.watched.#saw(event);
    },
  };
  readonly #stately = createInspector({
    send: (event: StatelyInspectionEvent) => this.sent.push(JSON.stringify(event)),
  });

  #saw(event: InspectionEvent): void {
    this.raw.push(event);
    this.#stately.inspect.next?.(event as unknown as XStateEvent);
  }

  /** The charts that were sent with their definitions. */
  get charts(): string[] {
    const names = this.sent.flatMap((line) => {
      const { type, definition } = JSON.parse(line);
      return type === '@xstate.actor' ? [JSON.parse(definition).id as string] : [];
    });
    return [...new Set(names)].toSorted();
  }

  /** How many bytes were sent, once the deferred conversion of Stately is done. */
  async settled(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await turns(2);
    return this.sent.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
  }

  /** Nothing secret was sent, and nothing secret can be listed, copied or printed. */
  async assertNoSecret(): Promise<void> {
    await this.settled();
    assert.ok(this.sent.length > 0, 'something was sent');
    for (const line of this.sent) assert.ok(!line.includes(SECRET), line);
    const seen = new Set<unknown>();
    for (const event of this.raw) assertHarmless(event, seen);
  }
}

/** The faults of an event: a path to a secret that needs no call, or a context that is not empty. */
function assertHarmless(event: InspectionEvent, seen: Set<unknown>): void {
  assert.equal(pathToSecret(event, seen), undefined);
  if ('event' in event) assert.equal(pathToSecret(structuredClone(event.event)), undefined);
  if (!('snapshot' in event)) return;
  const { context } = event.snapshot as { context: object };
  assert.deepEqual(Object.keys(context), []);
  assert.equal(JSON.stringify(context), '{}');
  assert.deepEqual(structuredClone(context), {});
}

/** Follows all own properties, including hidden ones, and enters collections. */
function pathToSecret(value: unknown, seen = new Set<unknown>(), path = ''): string | undefined {
  if (typeof value === 'string') return value.includes(SECRET) ? path : undefined;
  if (value === null || !['object', 'function'].includes(typeof value) || seen.has(value)) return;
  seen.add(value);
  for (const [name, next] of partsOf(value as object)) {
    const found = pathToSecret(next, seen, `${path}.${String(name)}`);
    if (found !== undefined) return found;
  }
  return;
}

function partsOf(value: object): (readonly [PropertyKey, unknown])[] {
  const own = Reflect.ownKeys(value).map(
    (name) => [name, Object.getOwnPropertyDescriptor(value, name)?.value] as const,
  );
  if (value instanceof Map) return [...own, ...[...value].flat().map((one) => ['', one] as const)];
  if (value instanceof Set) return [...own, ...[...value].map((one) => ['', one] as const)];
  return own;
}

const stops = new Stops();
afterEach(() => stops.all());

function serve(options: SupervisorOptions<unknown, unknown, unknown>): Promise<Service> {
  return stops.service(options);
}

/** A supervisor that keeps secrets, and whose handlers fail with errors that contain them. */
function secretive(watched: Watched): SupervisorOptions<unknown, unknown, unknown> {
  return {
    inspect: watched.inspect,
    authenticate: ({ url }) => {
      if (url?.includes('fail')) leak();
      return admitted({ session: SECRET }, { headers: { 'x-session': SECRET } });
    },
    key: () => SECRET,
    onOpen: (connection) => {
      connection.join(SECRET);
      connection.send({ session: SECRET });
    },
    onMessage: leak,
    onHandlerError: (_error, _handler, connection) => {
      connection?.close(4000, SECRET);
      return 'keep';
    },
    onClosing: leak,
    onClose: leak,
    onFailed: leak,
  };
}

function dialing(watched: Watched): NodeClientOptions {
  return {
    ...quick,
    inspect: watched.inspect,
    headers: { authorization: SECRET },
    onOpen: (connection) => {
      connection.send({ session: SECRET });
      leak();
    },
  };
}

describe('the output of an inspector', () => {
  it('contains no secret of a supervisor and its connections', async () => {
    const watched = new Watched();
    const service = await serve(secretive(watched));
    const headers = { authorization: SECRET };
    const peer = await RawPeer.open(service.port, { headers });
    peer.json({ session: SECRET });
    await until(() => peer.closeFrame !== undefined, 'it is closed with a secret as the reason');
    peer.sendClose(4000, SECRET);
    const other = await RawPeer.open(service.port, { headers });
    other.sendClose(4000, SECRET);
    await until(() => other.closed, 'it closes with a secret as the reason');
    const refused = await RawPeer.connect(service.port);
    refused.request({ path: `/ws?fail=${SECRET}`, headers });
    await until(() => refused.closed, 'it is refused');
    await service.supervisor.drain({ reason: SECRET });
    await watched.assertNoSecret();
    assert.deepEqual(watched.charts, ['connection', 'supervisor']);
  });

  it('contains no secret of a client and its connection', async () => {
    const watched = new Watched();
    const service = await serve({});
    const client = createClient(`${service.url}?token=${SECRET}`, dialing(watched));
    stops.add(() => client.close());
    client.send({ waits: SECRET });
    await until(() => service.messages.length === 2, 'its messages arrive');
    await client.close(4000, SECRET);
    await watched.assertNoSecret();
    assert.deepEqual(watched.charts, ['client', 'connection']);
  });

  it('contains no secret of a pool, its members and their connections', async () => {
    const watched = new Watched();
    const service = await serve({});
    const pool = createPool([`${service.url}?token=${SECRET}`], { ...dialing(watched), size: 2 });
    stops.add(() => pool.drain());
    await until(() => service.messages.length >= 2, 'its messages arrive');
    await pool.drain({ reason: SECRET });
    await watched.assertNoSecret();
    assert.deepEqual(watched.charts, ['client', 'connection', 'pool']);
  });

  it('contains nothing of the error when a connection crashes, and the error is reported', async (t) => {
    t.mock.method(ManagedConnection.prototype, 'upgrade', leak, { times: 1 });
    const watched = new Watched();
    const service = await serve({ inspect: watched.inspect });
    const peer = await RawPeer.connect(service.port);
    peer.request({ path: '/ws' });
    const { error } = await service.when('connection.crashed');
    assert.ok(error instanceof LeakyError);
    await watched.assertNoSecret();
    assert.ok(watched.sent.some((line) => line.includes('xstate.error.actor.c')));
  });

  it('contains nothing of the error when a client or a pool crashes, and the error is reported', async (t) => {
    const service = await serve({});
    for (const [owner, create] of [
      [SupervisedClient, (options: NodeClientOptions) => createClient(service.url, options)],
      [SupervisedPool, (options: NodeClientOptions) => createPool([service.url], options)],
    ] as const) {
      t.mock.method(owner.prototype, 'finish', leak, { times: 1 });
      const watched = new Watched();
      const made = create({ ...quick, inspect: watched.inspect });
      const errors: unknown[] = [];
      made.events$.subscribe((event) => 'error' in event && errors.push(event.error));
      void ('drain' in made ? made.drain() : made.close());
      await until(() => errors.length > 0, 'the crash is reported');
      assert.ok(errors[0] instanceof LeakyError);
      await watched.assertNoSecret();
      assert.ok(watched.sent.some((line) => line.includes('"status":"error"')));
    }
  });
});

describe('the life of a connection, as Stately sends it', () => {
  it('takes 10 kB at most when it is accepted, including the events of its supervisor', async () => {
    const watched = new Watched();
    const service = await serve({
      inspect: watched.inspect,
      onMessage: (connection, message) => void connection.send(message),
    });
    const idle = await watched.settled();
    const peer = await RawPeer.open(service.port);
    peer.json('x'.repeat(100_000));
    await until(() => peer.texts.length === 1, 'its echo arrives');
    peer.sendClose(1000);
    await service.when('connection.closed');
    const bytes = (await watched.settled()) - idle;
    const snapshots = watched.raw.flatMap((event) => ('snapshot' in event ? [event] : []));
    const seen = snapshots.filter(({ type }) => type === '@xstate.snapshot');
    assert.equal(new Set(seen.map(({ snapshot }) => snapshot)).size, seen.length, 'none twice');
    assert.ok(bytes > 4_000, `${bytes} bytes: the chart is there`);
    assert.ok(bytes <= LIFE_BYTES_MAX, `${bytes} bytes`);
  });

  it('takes 10 kB at most when it is dialed', async () => {
    const watched = new Watched();
    const service = await serve({});
    const client = createClient(service.url, { ...quick, inspect: watched.inspect });
    await until(() => client.status.state === 'up', 'it is up');
    await client.close();
    await watched.settled();
    const ids = watched.raw.flatMap(({ type, actorRef }) =>
      type === '@xstate.actor' && chartOf(actorRef) === 'connection' ? [actorRef.sessionId] : [],
    );
    const about = watched.sent.filter((line) => ids.some((id) => line.includes(`"${id}"`)));
    const bytes = about.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
    assert.equal(ids.length, 1);
    assert.ok(bytes > 4_000, `${bytes} bytes: the chart is there`);
    assert.ok(bytes <= LIFE_BYTES_MAX, `${bytes} bytes`);
  });
});
