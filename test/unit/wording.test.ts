import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient, createPool } from '../../src/client/index.ts';
import { anyOf, kindOf, suggestion } from '../../src/core/wording.ts';
import { createSupervisor } from '../../src/index.ts';

describe('kindOf', () => {
  it('describes a value', () => {
    class Orbit {}
    const table: [unknown, string][] = [
      [undefined, 'undefined'],
      [null, 'null'],
      [8080, '8080'],
      [Number.NaN, 'NaN'],
      [true, 'true'],
      ['', 'an empty string'],
      [7n, 'a BigInt'],
      [Symbol('s'), 'a symbol'],
      [() => {}, 'a function'],
      [[], 'a list'],
      [{}, 'an object'],
      [Object.create(null), 'an object'],
      [{ constructor: 7 }, 'an object'],
      [Promise.resolve(), 'a Promise'],
      [new Orbit(), 'an Orbit'],
      [new Uint8Array(), 'a Uint8Array'],
      [new URL('a://b'), 'a URL'],
      ['8080', "the string '8080'"],
      ['123456', 'a string'],
    ];
    for (const [value, kind] of table) assert.equal(kindOf(value), kind);
  });

  it('never quotes text: it may be a credential', () => {
    assert.equal(kindOf('Bearer s3cret'), 'a string');
  });
});

describe('the objects of the API', () => {
  it('are described with public names, not with those of internal classes', async () => {
    const supervisor = createSupervisor();
    const client = createClient('ws://127.0.0.1:1/');
    const pool = createPool(['ws://127.0.0.1:1/']);
    const given = [supervisor, supervisor.topic('a'), client, pool];
    assert.deepEqual(given.map(kindOf), ['a supervisor', 'a topic', 'a client', 'a pool']);
    await Promise.all([client.close(), pool.drain()]);
  });
});

describe('suggestion', () => {
  const names = ['origins', 'hosts', 'connectionsMax', 'ttlMs', 'where', 'except'];

  it('names the option that was probably meant', () => {
    const misspelt = {
      origin: 'origins',
      orgins: 'origins',
      oirgins: 'origins',
      connectionMax: 'connectionsMax',
      connectionsmax: 'connectionsMax',
      ttl: 'ttlMs',
      tltMs: 'ttlMs',
      were: 'where',
      exept: 'except',
      excluding: undefined,
      x: undefined,
      '': undefined,
    };
    for (const [name, meant] of Object.entries(misspelt)) {
      assert.equal(suggestion(name, names), meant === undefined ? '' : `; did you mean ${meant}?`);
    }
  });

  it('takes the nearest of several', () => {
    assert.equal(suggestion('closeMx', ['closedMs', 'closeMs']), '; did you mean closeMs?');
  });

  it('refuses to compare names of excessive length', () => {
    assert.equal(suggestion('a'.repeat(1_000_000), ['a'.repeat(1_000_001)]), '');
  });
});

describe('anyOf', () => {
  it('lists names as a sentence does', () => {
    assert.deepEqual(
      [anyOf([]), anyOf(['a']), anyOf(['a', 'b']), anyOf(['a', 'b', 'c'])],
      ['', 'a', 'a or b', 'a, b or c'],
    );
  });
});
