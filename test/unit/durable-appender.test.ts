import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChartSystem } from '../../src/chart/chart-system.ts';
import type { BusLog, Stored } from '../../src/core/bus-log.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { Appender } from '../../src/server/durable/appender.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

/** An appender whose bus answers when a test says so. */
function makeAppender(appendMs = 500) {
  const clock = new VirtualClock();
  const signals: AbortSignal[] = [];
  const answers: ((stored: Stored) => void)[] = [];
  const log: Pick<BusLog, 'payloadBytesMax' | 'append'> = {
    payloadBytesMax: 100,
    append: (_topic, _entry, signal) => {
      signals.push(signal);
      return new Promise((resolve, reject) => {
        answers.push(resolve);
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
  };
  const charts = new ChartSystem({ actorHost: null, areEager: false }, clock);
  const events: unknown[] = [];
  const reporter = { emit: (event: unknown) => events.push(event) } as never;
  const wheel = new TimerWheel(clock, 50);
  const parts = { appendMs, clock, wheel, charts, reporter };
  const appender = new Appender(log as BusLog, parts);
  const pass = async (ms: number) => {
    clock.advance(ms);
    for (let turns = 10; turns > 0; turns -= 1) await null;
  };
  return { appender, pass, signals, answers, events };
}

const stored: Stored = { place: { log: 'a', offset: 1, tag: '' }, isDuplicate: false };

describe('an append', () => {
  it('is given up when its time is over, and reported', async () => {
    const { appender, pass, events } = makeAppender();
    const appended = appender.append('room', 'x', { id: 'one' });
    await pass(450);
    assert.deepEqual(events, []);
    await pass(100);
    assert.deepEqual(await appended, { outcome: 'unconfirmed', id: 'one' });
    assert.equal(events.length, 1);
  });

  it('needs no more time once it is confirmed', async () => {
    const { appender, pass, answers, signals, events } = makeAppender();
    const appended = appender.append('room', 'x', { id: 'one' });
    answers[0]?.(stored);
    assert.deepEqual(await appended, { outcome: 'kept', id: 'one', position: 'a.1.' });
    await pass(10_000);
    assert.deepEqual([signals[0]?.aborted, events], [false, []]);
  });

  it('shares its time with those that begin within 10 ms, and with no others', async () => {
    const { appender, pass, answers, signals, events } = makeAppender();
    const first = [appender.append('room', 'x', { id: 'one' })];
    await pass(9);
    first.push(appender.append('room', 'x', { id: 'two' }));
    await pass(91);
    const second = appender.append('room', 'x', { id: 'three' });
    assert.equal(signals[0], signals[1]);
    assert.notEqual(signals[0], signals[2]);
    answers[0]?.(stored);
    await pass(400);
    const outcomes = (await Promise.all(first)).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes, ['kept', 'unconfirmed']);
    assert.deepEqual([events.length, signals[2]?.aborted], [1, false]);
    await pass(150);
    assert.equal((await second).outcome, 'unconfirmed');
  });

  it('does not get a time that is over', async () => {
    const { appender, pass, signals } = makeAppender(5);
    void appender.append('room', 'x', { id: 'one' });
    await pass(50);
    const later = appender.append('room', 'x', { id: 'two' });
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, false],
    );
    await pass(100);
    assert.equal((await later).outcome, 'unconfirmed');
  });

  it('has an id of its own if it is given none', async () => {
    const { appender, answers } = makeAppender();
    const appends = [1, 2].map(() => appender.append('room', 'x'));
    for (const answer of answers) answer(stored);
    const [one, other] = await Promise.all(appends);
    assert.match(`${one?.id}`, /^[\x21-\x7e]{1,128}$/);
    assert.notEqual(one?.id, other?.id);
  });
});

describe('an appender that is closed', () => {
  it('ends as soon as the bus has confirmed all', async () => {
    const { appender, answers, signals } = makeAppender();
    const confirmed = appender.append('room', 'x', { id: 'one' });
    const closed = appender.close();
    answers[0]?.(stored);
    assert.equal((await confirmed).outcome, 'kept');
    await closed;
    assert.equal(signals[0]?.aborted, false);
  });

  it('gives up after a second what the bus has not confirmed', async () => {
    const { appender, pass, signals } = makeAppender(10_000);
    const appended = appender.append('room', 'x', { id: 'one' });
    let isOver = false;
    void appender.close().then(() => {
      isOver = true;
    });
    await pass(900);
    assert.equal(isOver, false);
    await pass(200);
    assert.equal(isOver, true);
    assert.equal(signals[0]?.aborted, true);
    assert.equal((await appended).outcome, 'unconfirmed');
    assert.deepEqual(await appender.append('room', 'x', { id: 'late' }), {
      outcome: 'unconfirmed',
      id: 'late',
    });
    assert.equal(signals.length, 1);
  });
});
