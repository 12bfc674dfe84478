import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ConnectionState } from '../../src/core/connection.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import { Registry } from '../../src/server/registry.ts';
import type { Counts } from '../../src/server/supervisor-types.ts';

/** The part of a connection that the registry knows, with the life cycle of a real one. */
class FakeConnection {
  readonly id: string;
  readonly key: string | undefined;
  readonly address: string;
  state: ConnectionState | null = null;
  readonly #registry: Registry;

  constructor(registry: Registry, about: { id: string; key?: string; address?: string }) {
    this.#registry = registry;
    this.id = about.id;
    this.key = about.key;
    this.address = about.address ?? '192.0.2.1';
    this.move('handshaking');
  }

  /** The part of an accepted connection. */
  get side(): this {
    return this;
  }

  get connection(): InboundConnection {
    return this as unknown as InboundConnection;
  }

  move(to: ConnectionState): this {
    const from = this.state;
    this.state = to;
    this.#registry.moved(this.connection, from, to);
    return this;
  }

  open(): this {
    this.move('open');
    this.#registry.enter(this.connection);
    return this;
  }

  end(): this {
    this.#registry.leave(this.connection);
    return this.move('closed');
  }
}

const nobody: Counts = { handshaking: 0, open: 0, errored: 0, closing: 0, closed: 0, failed: 0 };

describe('Registry', () => {
  it('is empty to begin with', () => {
    const registry = new Registry();
    assert.deepEqual(registry.counts, nobody);
    assert.deepEqual([registry.connections.size, registry.open.size], [0, 0]);
    assert.deepEqual([registry.byKey('ann'), registry.fromAddress('192.0.2.1')], [[], 0]);
  });

  it('counts connections by state, and ended connections permanently', () => {
    const registry = new Registry();
    const one = new FakeConnection(registry, { id: 'c1' });
    const other = new FakeConnection(registry, { id: 'c2' });
    assert.deepEqual(registry.counts, { ...nobody, handshaking: 2 });
    one.open().move('errored').move('closing');
    assert.deepEqual(registry.counts, { ...nobody, handshaking: 1, closing: 1 });
    one.end();
    other.move('failed');
    assert.deepEqual(registry.counts, { ...nobody, closed: 1, failed: 1 });
    assert.equal(registry.connections.size, 0);
  });

  it('finds open connections by id, and no others', () => {
    const registry = new Registry();
    const one = new FakeConnection(registry, { id: 'c1' });
    assert.equal(registry.open.get('c1'), undefined);
    one.open();
    assert.equal(registry.open.get('c1'), one.connection);
    registry.leave(one.connection);
    registry.leave(one.connection);
    assert.equal(registry.open.size, 0);
  });

  it('finds every open connection with a key', () => {
    const registry = new Registry();
    const anns = ['c1', 'c2'].map((id) => new FakeConnection(registry, { id, key: 'ann' }).open());
    new FakeConnection(registry, { id: 'c3', key: 'bob' }).open();
    new FakeConnection(registry, { id: 'c4', key: '' }).open();
    new FakeConnection(registry, { id: 'c5' }).open();
    assert.deepEqual(registry.byKey('ann'), anns);
    assert.equal(registry.byKey('').length, 1);
    anns[0]?.end();
    assert.deepEqual(registry.byKey('ann'), anns.slice(1));
    anns[1]?.end();
    assert.deepEqual(registry.byKey('ann'), []);
  });

  it('accepts keys and addresses that are named like members of objects', () => {
    const registry = new Registry();
    for (const name of ['__proto__', 'constructor', 'size']) {
      assert.deepEqual([registry.byKey(name), registry.fromAddress(name)], [[], 0]);
      new FakeConnection(registry, { id: name, key: name, address: name }).open();
      assert.deepEqual([registry.byKey(name).length, registry.fromAddress(name)], [1, 1]);
    }
  });

  it('returns a list that later changes do not affect', () => {
    const registry = new Registry();
    const one = new FakeConnection(registry, { id: 'c1', key: 'ann' }).open();
    const found = registry.byKey('ann');
    one.end();
    assert.equal(found.length, 1);
  });

  it('counts the connections of an address, from the handshake to the end', () => {
    const registry = new Registry();
    const [one, two] = ['c1', 'c2'].map((id) => new FakeConnection(registry, { id }));
    new FakeConnection(registry, { id: 'c3', address: '192.0.2.2' });
    assert.equal(registry.fromAddress('192.0.2.1'), 2);
    one?.open().move('closing');
    assert.equal(registry.fromAddress('192.0.2.1'), 2);
    one?.end();
    two?.move('failed');
    assert.equal(registry.fromAddress('192.0.2.1'), 0);
    assert.equal(registry.fromAddress('192.0.2.2'), 1);
  });

  it('holds nothing about a connection that it has forgotten', (t) => {
    const maps = new Set<Map<unknown, unknown>>();
    const { set } = Map.prototype;
    t.mock.method(
      Map.prototype,
      'set',
      function note(this: Map<unknown, unknown>, ...entry: [unknown, unknown]) {
        maps.add(this);
        return set.apply(this, entry);
      },
    );
    const registry = new Registry();
    for (const id of ['c1', 'c2']) new FakeConnection(registry, { id, key: 'ann' }).open().end();
    new FakeConnection(registry, { id: 'c3' }).move('failed');
    t.mock.restoreAll();
    assert.ok(maps.size >= 3, `${maps.size} maps`);
    assert.deepEqual(
      [...maps].map(({ size }) => size).filter((size) => size > 0),
      [],
    );
  });

  it('matches the list of connections after any life cycles', () => {
    const step = fc.record({
      who: fc.nat(9),
      what: fc.constantFrom('open', 'errored', 'closing', 'end', 'failed', 'new'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const registry = new Registry();
        const connections = new Map<number, FakeConnection>();
        for (const [index, { who, what }] of steps.entries()) {
          const connection = connections.get(who);
          if (
            connection === undefined ||
            connection.state === 'closed' ||
            connection.state === 'failed'
          ) {
            const about = { id: `c${index}`, key: `k${who % 3}`, address: `a${who % 2}` };
            connections.set(who, new FakeConnection(registry, about));
          } else {
            live(registry, connection, what);
          }
        }
        assertAgrees(registry, [...connections.values()]);
      }),
      { numRuns: 200 },
    );
  });
});

/** One step of a life cycle, if the state of the connection allows it. */
function live(registry: Registry, connection: FakeConnection, what: string): void {
  if (connection.state === 'handshaking') {
    if (what === 'failed') connection.move('failed');
    else if (what === 'open') connection.open();
    return;
  }
  registry.leave(connection.connection);
  if (what === 'end') connection.end();
  else if (connection.state === 'open') connection.move(what === 'errored' ? 'errored' : 'closing');
}

function assertAgrees(registry: Registry, connections: readonly FakeConnection[]): void {
  const living = connections.filter(({ state }) => state !== 'closed' && state !== 'failed');
  const open = living.filter(({ state }) => state === 'open');
  assert.deepEqual(new Set(registry.connections), new Set(living));
  assert.deepEqual(new Set(registry.open.values()), new Set(open));
  for (const state of ['handshaking', 'open', 'errored', 'closing'] as const) {
    assert.equal(
      registry.counts[state],
      living.filter((connection) => connection.state === state).length,
    );
  }
  for (const name of ['0', '1', '2']) {
    const sameKey = open.filter(({ key }) => key === `k${name}`);
    assert.deepEqual(new Set(registry.byKey(`k${name}`)), new Set(sameKey));
    const neighbours = living.filter(({ address }) => address === `a${name}`);
    assert.equal(registry.fromAddress(`a${name}`), neighbours.length);
  }
}
