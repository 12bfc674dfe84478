import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Positions, waypointOf } from '../../src/client/positions.ts';

describe('the positions of a client', () => {
  it('are told to the server in a heading, or not at all', () => {
    const positions = new Positions();
    assert.deepEqual(positions.headings, []);
    positions.move({ topic: 'a', position: '1' });
    positions.move({ topic: '__proto__', position: '2' });
    assert.deepEqual(positions.headings, ['\u0001["from",{"a":"1","__proto__":"2"}]']);
    positions.move({ topic: 'a', position: null });
    assert.deepEqual(Object.entries(positions.all), [['__proto__', '2']]);
  });

  it('are at most 2,000: the one that has not changed for longest is forgotten', () => {
    const positions = new Positions({ first: '1', second: '1' });
    positions.move({ topic: 'first', position: '2' });
    for (let number = 0; number < 1_999; number += 1)
      positions.move({ topic: `t${number}`, position: '1' });
    const topics = Object.keys(positions.all);
    assert.equal(topics.length, 2_000);
    assert.deepEqual([topics.includes('first'), topics.includes('second')], [true, false]);
  });

  it('are told in headings of at most 1,000 bytes, whatever the topics are called', () => {
    const positions = new Positions();
    const names = ['x', 'ü', '語', '"', '\u0001'];
    for (let number = 0; number < 200; number += 1) {
      const name = names[number % names.length] as string;
      positions.move({ topic: `${number}`.padEnd(number / 2, name), position: 'p'.repeat(40) });
    }
    const told = positions.headings.map((heading) => JSON.parse(heading.slice(1))[1]);
    assert.deepEqual(Object.assign({}, ...told), positions.all);
    assert.ok(told.length < 60, `${told.length} headings`);
    for (const heading of positions.headings)
      assert.ok(Buffer.byteLength(heading) <= 1_000, heading);
    const long = new Positions({ [`${'語'.repeat(256)}`]: 'p'.repeat(40) }).headings;
    assert.deepEqual(
      long.map((heading) => Buffer.byteLength(heading) <= 1_000),
      [true],
    );
  });

  it('are a copy', () => {
    const positions = new Positions({ a: '1' });
    Object.assign(positions.all, { b: '2' });
    assert.deepEqual(positions.all, { a: '1' });
  });
});

describe('waypointOf', () => {
  it('reads what a server sends', () => {
    assert.deepEqual(waypointOf(['a', 'x.1.y']), { topic: 'a', position: 'x.1.y' });
    const recovery = { topic: 'a', recovered: true, cause: 'resumed' };
    assert.deepEqual(waypointOf(['a', 'p', true, 'resumed']), {
      topic: 'a',
      position: 'p',
      recovery,
    });
  });

  it('is null for anything else', () => {
    for (const values of [
      [],
      ['a'],
      ['a', 1],
      [1, 'p'],
      ['a', 'p', 1, 'resumed'],
      ['a', 'p', true],
      ['a', 'p', true, 'later'],
      ['a', 'p', true, 'reset'],
      ['a', 'p', false, 'resumed'],
      ['a', 'p', null, null],
      ['a', 'p'.repeat(65)],
    ])
      assert.equal(waypointOf(values), null, JSON.stringify(values));
  });

  it('never throws, and never makes a waypoint without a topic and a position', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), (values) => {
        const waypoint = waypointOf(values);
        if (waypoint === null) return;
        assert.deepEqual([waypoint.topic, waypoint.position], values.slice(0, 2));
      }),
    );
  });
});
