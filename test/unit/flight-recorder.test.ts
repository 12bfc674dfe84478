import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { connectionFacts } from '../../machines/connection-contract.ts';
import { FlightRecorder } from '../../src/chart/flight-recorder.ts';
import { type Trail, trailText } from '../../src/core/trail.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const DAY_MS = 86_400_000;

describe('FlightRecorder', () => {
  let clock: VirtualClock;
  let recorder: FlightRecorder;
  beforeEach(() => {
    clock = new VirtualClock();
    recorder = new FlightRecorder(clock);
  });

  /** Records facts, each a given time after the one before, and returns the trail with times relative to now. */
  function trailOf(facts: readonly (readonly [fact: string, afterMs: number])[], laterMs = 0) {
    let position = recorder.begin();
    for (const [fact, afterMs] of facts) {
      clock.advance(afterMs);
      position = recorder.record(position, recorder.codeOf(fact));
    }
    clock.advance(laterMs);
    return recorder
      .take(position)
      .map(({ fact, atMs }): [string, number] => [fact, atMs - clock.wallNow()]);
  }

  it('keeps the order of the facts, with the wall time of each', () => {
    const trail = trailOf([
      ['one', 5],
      ['two', 100],
      ['one', 0],
    ]);
    assert.deepEqual(trail, [
      ['one', -100],
      ['two', 0],
      ['one', 0],
    ]);
  });

  it('counts back from the moment in which the trail is taken', () => {
    assert.deepEqual(trailOf([['one', 1]], 70), [['one', -70]]);
    assert.deepEqual(trailOf([]), []);
  });

  it('keeps the last 16', () => {
    const facts = Array.from({ length: 40 }, (_, index) => [`fact ${index}`, 10] as const);
    const trail = trailOf(facts);
    assert.deepEqual(
      trail.map(([fact]) => fact),
      facts.slice(-16).map(([fact]) => fact),
    );
    assert.deepEqual(trail[0], ['fact 24', -150]);
  });

  it('stores gaps of hours to the millisecond, and gaps of years approximately', () => {
    const [hours] = trailOf([
      ['one', 1],
      ['two', 16_000_001],
    ]);
    assert.deepEqual(hours, ['one', -16_000_001]);
    for (const [afterMs, errorMs] of [
      [10 * DAY_MS, 32],
      [700 * DAY_MS, 2_048],
      [30 * 365 * DAY_MS, 131_072],
    ] as const) {
      const [first] = trailOf([
        ['one', 1],
        ['two', afterMs],
      ]);
      assert.ok(Math.abs((first?.[1] ?? 0) + afterMs) <= errorMs, `${afterMs}: ${first?.[1]}`);
    }
  });

  it('keeps the trails of many connections apart, and reuses memory', () => {
    const positions = Array.from({ length: 1_000 }, () => recorder.begin());
    const next = positions.map((position, index) =>
      recorder.record(position, recorder.codeOf(`fact ${index % 50}`)),
    );
    for (const [index, position] of next.entries()) {
      if (index % 3 > 0) continue;
      assert.equal(recorder.take(position)[0]?.fact, `fact ${index % 50}`);
    }
    const again = Array.from({ length: 334 }, () => recorder.begin());
    assert.ok(Math.max(...again) <= Math.max(...positions));
    for (const [index, position] of next.entries()) {
      if (index % 3 === 0) continue;
      assert.deepEqual(
        recorder.take(position).map(({ fact }) => fact),
        [`fact ${index % 50}`],
      );
    }
    for (const position of again) assert.deepEqual(recorder.take(position), []);
    // All have ended, so the recorder starts over.
    assert.equal(recorder.begin(), 0);
  });

  it('has a code for each fact of a connection', () => {
    for (const fact of Object.keys(connectionFacts)) recorder.codeOf(fact);
    assert.equal(recorder.codeOf('dial.requested'), 1);
  });
});

describe('trailText', () => {
  it('counts back in seconds from the last fact', () => {
    const trail: Trail = [
      { fact: 'socket.opened', atMs: 1_000 },
      { fact: 'heartbeat.missed', atMs: 21_004 },
      { fact: 'heartbeat.lost', atMs: 31_010 },
    ];
    const text = '-30.01s socket.opened, -10.006s heartbeat.missed, 0s heartbeat.lost';
    assert.equal(trailText(trail), text);
    assert.equal(trailText([]), '');
  });
});
