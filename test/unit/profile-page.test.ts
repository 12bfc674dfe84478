import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Measured, page, sharesOf } from '../bench/profile-page.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({
  ...{ functionName, url, lineNumber, scriptId: '1', columnNumber: 0 },
});

const here = import.meta.url;

describe('sharesOf', () => {
  const frames = [
    frame('(idle)'),
    frame('dispatch'),
    frame('(garbage collector)'),
    frame('writev'),
    frame('Socket', 'node:net'),
    frame('publish', 'file:///x/.test/src/server/fan-out.js'),
    frame('setSocket', 'file:///x/node_modules/ws/lib/websocket.js'),
  ];
  const profile = {
    nodes: frames.map((callFrame, id) => ({ id, callFrame })),
    samples: frames.map((_, id) => id),
    timeDeltas: [1_000, 1_000, 10, 40, 20, 20, 10],
    ...{ startTime: 0, endTime: 0 },
  };

  it('sums up by the owner of the code, without waiting and without the profiler', () => {
    assert.deepEqual(sharesOf(profile).owners, {
      'garbage collection': 0.1,
      '`writev` and the kernel': 0.4,
      'Node.js': 0.2,
      Mooring: 0.2,
      ws: 0.1,
    });
  });

  it('names the functions of Mooring, by their sources', () => {
    assert.deepEqual(sharesOf(profile).functions, { '`publish` in src/server/fan-out.ts': 0.2 });
  });

  it('finds the name of a private method in the source', () => {
    const url = here.replace(/\/test\/unit\/.*/, '/src/server/fan-out.js');
    const named = (lineNumber: number) => {
      const nodes = [{ id: 1, callFrame: frame('', url, lineNumber) }];
      const [name] = Object.keys(
        sharesOf({ nodes, samples: [1], timeDeltas: [1], startTime: 0, endTime: 0 }).functions,
      );
      return name;
    };
    const names = Array.from({ length: 200 }, (_, line) => named(line));
    assert.ok(names.includes('`#share` in src/server/fan-out.ts'));
    assert.equal(names[0], '`a callback` in src/server/fan-out.ts');
  });
});

describe('page', () => {
  it('leaves out what takes less than one percent, and shows the largest share first', () => {
    const figures = { owners: { small: 0.004, middle: 0.3, large: 0.6 }, functions: {} };
    const measured: Measured = { scenario: 'single', micros: 10, figures };
    const text = page([measured]);
    assert.match(text, /\| large\s+\|\s+60 % \| 6\.00 \|\n\| middle\s+\|\s+30 % \| 3\.00 \|/);
    assert.doesNotMatch(text, /small/);
    assert.match(text, /No function of Mooring takes one percent/);
  });
});
