import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Subject } from 'rxjs';
import type { ConnectionIdentity } from '../../src/core/connection.ts';
import type { SupervisorEvent } from '../../src/core/events.ts';
import { LogFolder, type LogLine } from '../../src/observe/log-folder.ts';
import { logEvents } from '../../src/observe/logger.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const line = (message: string, fields: object = {}): LogLine => ({
  level: 'warn',
  fields: { event: 'message.invalid', ...fields },
  message,
});

function bench() {
  const clock = new VirtualClock();
  const written: LogLine[] = [];
  const folder = new LogFolder((logged) => void written.push(logged), clock);
  const messages = () => written.map(({ message }) => message);
  const add = (count: number, ...lines: readonly LogLine[]) => {
    for (let index = 0; index < count; index += 1)
      folder.add(lines[index % lines.length] as LogLine);
  };
  return { clock, written, folder, messages, add };
}

/** The number of lines added, according to the written counts. */
const total = (written: readonly LogLine[]) =>
  written.reduce((sum, { fields }) => sum + ((fields['more'] as number | undefined) ?? 1), 0);

describe('LogFolder', () => {
  it('writes the first of identical lines at once, and the number of the others after a second', () => {
    const { clock, written, messages, add } = bench();
    add(413, line('bad'));
    assert.deepEqual(messages(), ['bad']);
    clock.advance(999);
    assert.deepEqual(messages(), ['bad']);
    clock.advance(1);
    assert.deepEqual(messages(), ['bad', 'bad … and 412 more']);
    assert.deepEqual(written[1], {
      ...line('bad … and 412 more'),
      fields: { event: 'message.invalid', more: 412 },
    });
  });

  it('folds the lines of peers that alternate', () => {
    const { clock, messages, add } = bench();
    add(300, line('c1: bad'), line('c2: bad'), line('c3: bad'));
    clock.advance(1_000);
    const names = ['c1', 'c2', 'c3'];
    assert.deepEqual(messages(), [
      ...names.map((name) => `${name}: bad`),
      ...names.map((name) => `${name}: bad … and 99 more`),
    ]);
  });

  it('treats lines as identical only if level, message and fields are', () => {
    const { clock, messages, folder } = bench();
    folder.add(line('bad'));
    folder.add({ ...line('bad'), level: 'error' });
    folder.add(line('bad', { key: 'ann' }));
    folder.add(line('worse'));
    clock.advance(10_000);
    assert.deepEqual(messages(), ['bad', 'bad', 'bad', 'worse']);
  });

  it('begins a new window with the next line', () => {
    const { clock, messages, add } = bench();
    add(2, line('bad'));
    clock.advance(5_000);
    assert.equal(clock.timersPending, 0, 'nothing waits while there are no lines');
    add(3, line('bad'));
    clock.advance(1_000);
    assert.deepEqual(messages(), ['bad', 'bad … and 1 more', 'bad', 'bad … and 2 more']);
  });

  it('holds one timer, however many lines arrive', () => {
    const { clock, add } = bench();
    add(5_000, ...Array.from({ length: 1_500 }, (_, index) => line(`bad ${index}`)));
    assert.equal(clock.timersPending, 1);
  });

  it('remembers at most 1,000 lines, and loses none', () => {
    const { written, folder, add } = bench();
    const lines = Array.from({ length: 1_000 }, (_, index) => line(`bad ${index}`));
    add(2_000, ...lines);
    assert.equal(written.length, 1_000, 'all of them are remembered');
    folder.add(line('one more'));
    assert.equal(written.length, 1_000 + 1_000 + 1, 'room is made: the counts are written');
    add(1, line('bad 0'));
    assert.equal(written.length, 2_002, 'and forgotten');
    folder.flush();
    assert.equal(total(written), 2_002);
  });

  it('remembers at most about a million characters', () => {
    const { written, add } = bench();
    const lines = Array.from({ length: 20 }, (_, index) => line(`${index} ${'x'.repeat(200_000)}`));
    add(200, ...lines);
    assert.ok(written.length >= 200, 'twenty long ones are too much to remember');
    const few = bench();
    for (let window = 1; window <= 5; window += 1) {
      few.add(200, ...lines.slice(0, 2));
      few.folder.flush();
      assert.equal(few.written.length, 4 * window, 'two of them are not too much, in each window');
    }
  });

  it('writes a line at once that has no JSON to compare', () => {
    const { messages, add, clock } = bench();
    add(3, line('bad', { code: 1n }));
    assert.deepEqual(messages(), ['bad', 'bad', 'bad']);
    assert.equal(clock.timersPending, 0);
  });

  it('counts again the lines for which the logger threw', () => {
    const clock = new VirtualClock();
    let calls = 0;
    const folder = new LogFolder(() => {
      calls += 1;
      throw new Error('disk full');
    }, clock);
    for (let count = 0; count < 3; count += 1) assert.throws(() => folder.add(line('bad')), /full/);
    assert.equal(calls, 3);
  });

  it('warns when the logger throws for a count, and continues', async (t) => {
    const warnings: string[] = [];
    t.mock.method(process, 'emitWarning', (text: string) => void warnings.push(text));
    const clock = new VirtualClock();
    const written: string[] = [];
    const folder = new LogFolder(({ message }) => {
      if (message.includes('bad … and')) throw new Error('disk full');
      written.push(message);
    }, clock);
    for (const message of ['bad', 'worse', 'bad', 'worse']) folder.add(line(message));
    clock.advance(1_000);
    assert.deepEqual(written, ['bad', 'worse', 'worse … and 1 more']);
    assert.deepEqual(warnings, ['logEvents(events$, logger): logger threw: disk full']);
  });
});

describe('logEvents: identical lines', () => {
  type Event = SupervisorEvent<ConnectionIdentity>;
  const connection = { id: 'c1', key: 'ann', address: '192.0.2.1', path: '/ws' };
  const fault = { path: 'text', problem: 'expected string', closeCode: 1008 } as const;
  const invalid = (id: string): Event => {
    return { type: 'message.invalid', connection: { ...connection, id }, fault, at: 0 };
  };

  function logging() {
    const messages: string[] = [];
    const write = (_fields: object, message: string) => void messages.push(message);
    const events$ = new Subject<Event>();
    const subscription = logEvents(events$, { info: write, warn: write, error: write });
    return { messages, events$, subscription };
  }

  const expected = [
    'c1 message.invalid: text: expected string',
    'c2 message.invalid: text: expected string',
    'c1 message.invalid: text: expected string … and 9 more',
    'c2 message.invalid: text: expected string … and 9 more',
  ];

  for (const [end, what] of [
    ['complete', 'when the events end'],
    ['unsubscribe', 'when its subscription does'],
  ] as const) {
    it(`are folded, and counted ${what}`, () => {
      const { messages, events$, subscription } = logging();
      for (let count = 0; count < 10; count += 1) {
        events$.next(invalid('c1'));
        events$.next(invalid('c2'));
      }
      if (end === 'complete') events$.complete();
      else subscription.unsubscribe();
      assert.deepEqual(messages, expected);
    });
  }

  it('never keep the process alive', () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
    const before = timers().length;
    const { events$, subscription } = logging();
    events$.next(invalid('c1'));
    assert.equal(timers().length, before);
    subscription.unsubscribe();
  });
});
