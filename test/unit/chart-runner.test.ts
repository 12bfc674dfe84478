// Goal: facts run to completion, and user code runs only once the chart has settled. Method: run a small chart whose
// orders record themselves, send facts, publish or throw.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Chart } from '../../src/chart/chart.ts';
import { countsOf } from '../../src/chart/chart-counts.ts';
import { FlightRecorder } from '../../src/chart/flight-recorder.ts';
import { Notifications } from '../../src/chart/notifications.ts';
import { type ChartOwner, ChartRunner } from '../../src/chart/runner.ts';
import type { ChartTable } from '../../src/chart/table.ts';
import { connectionTable } from '../../src/chart/tables/connection.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

/** A lamp: `off ⇄ on.dim ⇄ on.bright`, and `broken` at the end. */
const lamp: ChartTable = {
  name: 'lamp',
  orders: [['light', { watts: 5 }], ['darken'], ['hum']],
  start: [['off'], [1]],
  final: ['broken'],
  edges: {
    '': { dropped: [['broken'], []] },
    off: { pressed: [['on.dim'], [0, 2]] },
    on: { pressed: [['off'], [1]], touched: [['on.dim'], [2]] },
    'on.dim': { turned: [['on.bright'], [0]] },
    'on.bright': { turned: [['on.dim'], [0]] },
    broken: {},
  },
};

class Lamp implements ChartOwner {
  readonly notes: string[] = [];
  readonly notifications = new Notifications();
  readonly chart: Chart;
  readonly runner: ChartRunner;
  whenLit = () => {};
  chartEnded?: () => void;

  constructor(chart = new Chart(lamp)) {
    this.chart = chart;
    this.runner = new ChartRunner(chart, this, this.notifications);
    this.runner.start();
  }

  light({ watts }: { watts: number }): void {
    this.notes.push(`light ${watts}`);
    this.whenLit();
  }

  darken(): void {
    this.notes.push('darken');
  }

  hum(): void {
    this.notes.push('hum');
  }

  chartSettled(): void {
    this.notes.push(`settled ${this.runner.state.paths.at(-1)}`);
  }

  chartCrashed(error: Error): void {
    this.notes.push(`crashed: ${error.message}`);
  }
}

describe('ChartRunner', () => {
  let subject: Lamp;
  beforeEach(() => {
    subject = new Lamp();
  });

  it('carries out the orders of the first state at the start', () => {
    assert.deepEqual(subject.notes, ['darken', 'settled off']);
  });

  it('moves, then carries out the orders of the step', () => {
    subject.notes.length = 0;
    subject.whenLit = () => subject.notes.push(`in ${subject.runner.state.paths.join()}`);
    subject.runner.send('pressed');
    assert.deepEqual(subject.notes, ['light 5', 'in on,on.dim', 'hum', 'settled on.dim']);
    assert.deepEqual(subject.runner.state.paths, ['on', 'on.dim']);
  });

  it('processes a fact that an order sends after the current step', () => {
    subject.notes.length = 0;
    subject.whenLit = () => {
      subject.whenLit = () => {};
      subject.runner.send('turned');
      subject.runner.send('pressed');
    };
    subject.runner.send('pressed');
    assert.deepEqual(subject.notes, ['light 5', 'hum', 'light 5', 'darken', 'settled off']);
  });

  it('ignores a fact that has no effect in its state, and every fact at the end', () => {
    subject.notes.length = 0;
    subject.runner.send('turned');
    assert.deepEqual(subject.notes, ['settled off']);
    subject.runner.send('dropped');
    assert.equal(subject.runner.isOver, true);
    subject.runner.send('pressed');
    assert.deepEqual(subject.runner.state.paths, ['broken']);
  });

  it('delivers notifications when the chart has settled', () => {
    subject.notes.length = 0;
    subject.whenLit = () => subject.notifications.add(() => subject.notes.push('user code'));
    subject.runner.send('pressed');
    assert.deepEqual(subject.notes, ['light 5', 'hum', 'settled on.dim', 'user code']);
  });

  it('ends when it has no order of that name', () => {
    subject.notes.length = 0;
    Object.defineProperty(subject, 'hum', { value: undefined });
    subject.runner.send('pressed');
    assert.match(subject.notes.join(), /light 5,crashed: .*not a function/);
  });

  it('reports its end once, after it has settled for the last time', () => {
    subject.notes.length = 0;
    subject.chartEnded = () => subject.notes.push('ended');
    for (const fact of ['dropped', 'pressed', 'dropped']) subject.runner.send(fact);
    assert.deepEqual(subject.notes, ['settled broken', 'ended']);
  });

  it('delivers notifications although its owner throws once it has settled', () => {
    subject.notes.length = 0;
    subject.chartSettled = () => {
      throw new Error('no socket');
    };
    subject.whenLit = () => subject.notifications.add(() => subject.notes.push('user code'));
    assert.throws(() => subject.runner.send('pressed'), { message: 'no socket' });
    assert.equal(subject.notes.at(-1), 'user code');
  });

  it('ends when an order throws, and accepts no further fact', () => {
    subject.notes.length = 0;
    subject.whenLit = () => {
      subject.runner.send('turned');
      throw new Error('no bulb');
    };
    subject.runner.send('pressed');
    subject.runner.send('pressed');
    assert.deepEqual(subject.notes, ['light 5', 'crashed: no bulb', 'settled on.dim']);
    assert.equal(subject.runner.isOver, true);
    assert.equal(subject.runner.error?.message, 'no bulb');
  });
});

describe('Notifications', () => {
  it('delivers a notification added as the last after all that the others cause', () => {
    const notifications = new Notifications();
    const notes: string[] = [];
    notifications.during(() => {
      notifications.addLast(() => notes.push('last'));
      notifications.add(() => {
        notes.push('first');
        notifications.add(() => {
          notes.push('second');
          notifications.add(() => notes.push('third'));
        });
      });
    });
    assert.deepEqual(notes, ['first', 'second', 'third', 'last']);
    notifications.addLast(() => notes.push('alone'));
    assert.equal(notes.at(-1), 'alone');
  });
});

describe('Chart', () => {
  it('counts the runners in each state, and the arrows that they took', () => {
    const chart = new Chart(lamp);
    const [one, two, three] = [new Lamp(chart), new Lamp(chart), new Lamp(chart)];
    for (const { runner } of [one, two]) runner.send('pressed');
    for (const fact of ['turned', 'turned', 'turned', 'touched']) two.runner.send(fact);
    three.runner.send('dropped');
    assert.deepEqual(countsOf(chart), {
      states: { off: 0, on: 2, 'on.dim': 2, 'on.bright': 0, broken: 1 },
      arrows: [
        { from: 'off', fact: 'pressed', to: 'on.dim', taken: 2 },
        { from: '', fact: 'dropped', to: 'broken', taken: 1 },
        { from: 'on.dim', fact: 'turned', to: 'on.bright', taken: 2 },
        { from: 'on.bright', fact: 'turned', to: 'on.dim', taken: 1 },
        { from: 'on', fact: 'touched', to: 'on.dim', taken: 1 },
      ],
      crashed: 0,
    });
  });

  it('lists every state before any runner has entered it', () => {
    assert.deepEqual(countsOf(new Chart(lamp)), {
      states: { off: 0, on: 0, 'on.dim': 0, 'on.bright': 0, broken: 0 },
      arrows: [],
      crashed: 0,
    });
  });

  it('lists the states of a connection in the order of its chart, parents first', () => {
    const states = Object.keys(countsOf(new Chart(connectionTable)).states);
    assert.deepEqual(states.slice(0, 3), [
      'handshaking',
      'handshaking.admitting',
      'handshaking.upgrading',
    ]);
    const top = states.filter((path) => !path.includes('.'));
    assert.deepEqual(top, ['handshaking', 'open', 'errored', 'closing', 'closed', 'failed']);
    for (const [index, path] of states.entries()) {
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('.')));
      assert.ok(parent === '' || states.indexOf(parent) < index, path);
    }
  });

  it('counts a crash in no state', () => {
    const one = new Lamp();
    one.whenLit = () => {
      throw new Error('no bulb');
    };
    one.runner.send('pressed');
    assert.deepEqual(countsOf(one.chart), {
      states: { off: 0, on: 0, 'on.dim': 0, 'on.bright': 0, broken: 0 },
      arrows: [{ from: 'off', fact: 'pressed', to: 'on.dim', taken: 1 }],
      crashed: 1,
    });
  });
});

describe('the trail of a ChartRunner', () => {
  const clock = new VirtualClock();

  it('has every fact that had an effect, including the last one', () => {
    const one = new Lamp(new Chart(lamp, new FlightRecorder(clock)));
    for (const fact of ['turned', 'pressed', 'turned', 'dropped']) one.runner.send(fact);
    const facts = one.runner.takeTrail().map(({ fact }) => fact);
    assert.deepEqual(facts, ['pressed', 'turned', 'dropped']);
  });

  it('is taken once, and nothing is recorded afterwards', () => {
    const one = new Lamp(new Chart(lamp, new FlightRecorder(clock)));
    one.runner.send('pressed');
    assert.equal(one.runner.takeTrail().length, 1);
    one.runner.send('turned');
    assert.deepEqual(one.runner.takeTrail(), []);
  });

  it('is empty without a recorder', () => {
    const one = new Lamp();
    one.runner.send('pressed');
    assert.deepEqual(one.runner.takeTrail(), []);
  });
});

describe('Notifications', () => {
  it('are delivered at once when nothing holds them', () => {
    const notes: string[] = [];
    new Notifications().add(() => notes.push('now'));
    assert.deepEqual(notes, ['now']);
  });

  it('wait until the last of nested holds is released, in order', () => {
    const notes: string[] = [];
    const notifications = new Notifications();
    notifications.during(() => {
      notifications.during(() => notifications.add(() => notes.push('one')));
      notifications.add(() => notes.push('two'));
      assert.deepEqual(notes, []);
    });
    assert.deepEqual(notes, ['one', 'two']);
  });

  it('follow those that are already due, whatever causes them', () => {
    const notes: string[] = [];
    const notifications = new Notifications();
    notifications.during(() => {
      notifications.add(() => {
        notes.push('one');
        notifications.add(() => notes.push('three'));
        notes.push('one is done');
      });
      notifications.add(() => notes.push('two'));
    });
    assert.deepEqual(notes, ['one', 'one is done', 'two', 'three']);
  });

  it('are all delivered when one throws, and the error is rethrown', () => {
    const notes: string[] = [];
    const notifications = new Notifications();
    const broken = new Error('out of order');
    const held = () => {
      notifications.add(() => {
        throw broken;
      });
      notifications.add(() => notes.push('two'));
    };
    assert.throws(
      () => notifications.during(held),
      (thrown) => thrown === broken,
    );
    notifications.add(() => notes.push('three'));
    assert.deepEqual(notes, ['two', 'three']);
  });
});
