import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { busyReason, type Signs, spread } from '../bench/busy.ts';
import { growthExponent, growthTexts } from '../bench/growth.ts';
import { parseBenchOptions } from '../bench/options.ts';
import { benchmarksPage } from '../bench/page.ts';
import { crowdPicture, growthPicture, pictures, plots } from '../bench/panels.ts';
import { drawPlots, niceStep } from '../bench/plot.ts';
import { FrameReader } from '../bench/readers/frame-reader.ts';
import { noResults, select, selectNamed, withOutcome } from '../bench/results.ts';
import { type BenchRow, compare, median, merged, percentile } from '../bench/row.ts';
import { topicsOf } from '../bench/subjects/memberships.ts';
import { tableText } from '../bench/table.ts';
import { versus, type Workload } from '../bench/workload.ts';
import { mainRows, workloads } from '../bench/workloads/index.ts';
import { buildFrame, opcode } from '../support/frames.ts';

// Goal: a wrong figure in the benchmarks is worse than none. Method: check every computation on measured
// values, without measuring anything.

const head = { name: 'burst-ws', unit: 'µs', peerName: 'ws' };

function rowOf(ours: readonly number[], peer: readonly number[], target = 1): BenchRow {
  return compare(head, { ours, peer }, target);
}

describe('median', () => {
  it('is the middle value, or the mean of the two in the middle', () => {
    assert.equal(median([9, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 100]), 3);
    assert.equal(median([]), Number.NaN);
  });
});

describe('percentile', () => {
  it('is the smallest value that enough others do not exceed', () => {
    const sorted = Float64Array.from({ length: 100 }, (_, index) => index + 1);
    assert.equal(percentile(sorted, 0.99), 99);
    assert.equal(percentile(sorted, 0.5), 50);
    assert.equal(percentile(Float64Array.of(7), 0.99), 7);
  });
});

describe('a row', () => {
  it('compares the medians with its target', () => {
    const { ours, peer, ratio, holds } = rowOf([1, 50, 2], [4, 4, 0], 0.5);
    assert.deepEqual({ ours, peer, ratio, holds }, { ours: 2, peer: 4, ratio: 0.5, holds: true });
    assert.equal(rowOf([2.1], [4], 0.5).holds, false);
  });

  it('may need some bytes more than its peer', () => {
    const { target, targetText, holds } = compare(
      { ...head, unit: 'B' },
      { ours: [4_000], peer: [2_048] },
      { bytesBeyond: 2_048 },
    );
    assert.deepEqual([target, targetText, holds], [2, 'ws + 2.0 KiB', true]);
    const beyond = compare(head, { ours: [4_097], peer: [2_048] }, { bytesBeyond: 2_048 });
    assert.equal(beyond.holds, false);
    assert.match(tableText([beyond]), / 2\.00 +≤ ws \+ 2\.0 KiB/);
  });

  it('may cost a number of times its peer, and some CPU more', () => {
    const limit = { times: 1.1, microsBeyond: 10 };
    const { target, targetText, holds } = compare(head, { ours: [120], peer: [100] }, limit);
    assert.equal(Math.round((target ?? 0) * 1_000), 1_200);
    assert.deepEqual([targetText, holds], ['ws × 1.1 + 10 µs', true]);
    assert.equal(compare(head, { ours: [121], peer: [100] }, limit).holds, false);
  });

  it('is refused when a figure is missing', () => {
    assert.throws(() => rowOf([1], []), /burst-ws/);
    assert.throws(() => rowOf([1], [0]), /burst-ws/);
  });

  it('passes without a target, and does not count as a passed target', () => {
    const free = compare(head, { ours: [9], peer: [1] });
    assert.deepEqual([free.holds, 'target' in free], [true, false]);
    assert.match(tableText([free, rowOf([1], [2])]), /all 1 targets hold/);
    assert.match(tableText([free]), /none of these rows has a target/);
    assert.match(tableText([free]), /– {2}burst-ws +9\.00 +1\.00 +µs +ws +9\.00$/m);
  });

  it('takes its figures from the subjects that it names', () => {
    const plan = versus({ name: 'r', unit: 'µs', target: 1 }, 'cost', ['mooring', 'ws']);
    const taken = new Map([
      ['ws', [{ cost: 3 }, { cost: 4 }]],
      ['mooring', [{ cost: 1 }, { cost: 2 }]],
    ]);
    assert.deepEqual(plan.pairs(taken), { ours: [1, 2], peer: [3, 4] });
  });
});

describe('spread', () => {
  it('is the distance between the quartiles, relative to the median', () => {
    assert.equal(spread([10, 10, 10]), 0);
    assert.equal(spread([8, 12, 10, 9, 11]), 0.2);
    assert.equal(spread([10, 30]), 0.5);
  });

  it('never depends on a single round that went wrong', () => {
    assert.equal(spread([10, 10, 10, 10, 900]), 0);
  });

  it('is nothing for one round, or for a budget of 0', () => {
    assert.equal(spread([7]), 0);
    assert.equal(spread([0, 0]), 0);
  });
});

describe('a busy machine', () => {
  const calm: Signs = {
    peer: [10, 10.5, 10],
    peerName: 'ws',
    calibrations: [{ slowestMs: 100, waiting: 1.01 }],
    fastestMs: 99,
  };

  it('is recognized by a peer whose rounds differ', () => {
    assert.equal(busyReason(calm), null);
    assert.match(busyReason({ ...calm, peer: [10, 15, 20] }) ?? '', /busy: rounds of ws were 33 %/);
    assert.equal(busyReason({ ...calm, peer: [10, 15, 20], spreadMax: 0.4 }), null);
  });

  it('is recognized by a loop that waits for a core, or that takes longer than before', () => {
    const waiting = { slowestMs: 100, waiting: 1.4 };
    assert.match(
      busyReason({ ...calm, calibrations: [waiting] }) ?? '',
      /waited for a core 29 % of the time/,
    );
    const slow = { slowestMs: 150, waiting: 1 };
    assert.match(busyReason({ ...calm, calibrations: [slow] }) ?? '', /52 % longer/);
  });

  it('is not one that was busy before a single round', () => {
    const [once] = calm.calibrations;
    const calibrations = [once, once, { slowestMs: 300, waiting: 2 }].filter(
      (one) => one !== undefined,
    );
    assert.equal(busyReason({ ...calm, calibrations }), null);
  });
});

describe('the options', () => {
  it('have defaults', () => {
    const off = { quick: false, write: false, anyway: false };
    assert.deepEqual({ ...parseBenchOptions([]) }, { ...off, rounds: 5 });
    assert.deepEqual({ ...parseBenchOptions(['--quick']) }, { ...off, quick: true, rounds: 2 });
    assert.equal(parseBenchOptions(['--quick', '--rounds', '7']).rounds, 7);
  });

  it('refuse combinations that contradict each other', () => {
    assert.throws(() => parseBenchOptions(['--quick', '--only', 'echo']), /--quick and --only/);
    assert.throws(() => parseBenchOptions(['--write', '--anyway']), /--write and --anyway/);
  });

  it('refuse invalid or unknown ones, by name', () => {
    assert.throws(() => parseBenchOptions(['--rounds', 'many']), /--rounds .* 'many'/);
    assert.throws(() => parseBenchOptions(['--rounds', '0']), /--rounds/);
    assert.throws(() => parseBenchOptions(['--only', '']), /--only/);
    assert.throws(() => parseBenchOptions(['--json']), /--json/);
    assert.throws(() => parseBenchOptions(['--fast']), /--fast/);
  });
});

describe('the rows of the benchmarks', () => {
  const namesOf = (only?: string) =>
    select(workloads, only).flatMap(({ rows }) => rows.map(({ name }) => name));

  it('have unique names, and need only subjects that exist', () => {
    const names = namesOf();
    assert.equal(new Set(names).size, names.length);
    for (const { subjects, rows } of workloads) {
      for (const row of rows)
        assert.ok(
          row.needs.every((name) => name in subjects),
          row.name,
        );
    }
  });

  it('are selected by the start of a workload or row name', () => {
    assert.deepEqual(namesOf('echo'), ['echo-ws', 'echo-zod']);
    assert.deepEqual(namesOf('burst-b'), ['burst-bun']);
    assert.deepEqual(namesOf('idle-heap-socket.io'), ['idle-heap-socket.io']);
    assert.deepEqual(
      select(workloads, 'scal').map(({ workload }) => workload.name),
      ['scaling'],
    );
    assert.deepEqual(select(workloads, 'nothing'), []);
  });

  it('include those on request only when their workload is named', () => {
    assert.ok(!namesOf().includes('capacity-memory'));
    assert.deepEqual(namesOf('cap'), []);
    assert.deepEqual(namesOf('capacity-memory'), ['capacity-memory']);
    assert.equal(namesOf('capacity').length, 4);
  });

  it('include every row of a quick run', () => {
    const quick = selectNamed(workloads, mainRows).flatMap(({ rows }) => rows);
    assert.deepEqual(quick.map(({ name }) => name).sort(), [...mainRows].sort());
  });
});

describe('the results', () => {
  it('replace a row that is measured again, and keep the others in place', () => {
    const rows = ['a', 'b'].map((name) => ({ name, value: 1 }));
    const now = ['c', 'a'].map((name) => ({ name, value: 2 }));
    assert.deepEqual(merged(rows, now), [
      { name: 'a', value: 2 },
      { name: 'b', value: 1 },
      { name: 'c', value: 2 },
    ]);
  });

  it('have each row either measured or left out', () => {
    const leftOut = [{ name: head.name, reason: 'no peer' }];
    const measured = { rows: [rowOf([1], [2])], leftOut: [], curves: [] };
    const without = withOutcome(noResults(), { rows: [], leftOut, curves: [] });
    const both = withOutcome(without, measured);
    assert.deepEqual([both.rows.length, both.leftOut.length], [1, 0]);
    const again = withOutcome(both, { rows: [], leftOut, curves: [] });
    assert.deepEqual([again.rows.length, again.leftOut.length], [0, 1]);
  });
});

describe('a row that the machine was too busy for', () => {
  const leftOut = [{ name: head.name, reason: 'the machine was busy', isBusy: true }];
  const outcome = { rows: [], leftOut, curves: [] };

  it('is shown without a figure', () => {
    const { rows, leftOut: out } = withOutcome(noResults(), outcome);
    assert.match(tableText(rows, out), /^not measured: burst-ws: the machine was busy$/m);
  });

  it('keeps its earlier result', () => {
    const before = withOutcome(noResults(), { rows: [rowOf([1], [2])], leftOut: [], curves: [] });
    const after = withOutcome(before, outcome);
    assert.deepEqual([after.rows, after.leftOut], [before.rows, []]);
  });
});

describe('the table', () => {
  it('names the missed targets', () => {
    const text = tableText([rowOf([1], [2]), { ...rowOf([3], [2]), name: 'single-ws' }]);
    assert.match(text, /✓ {2}burst-ws +1\.00 +2\.00 +µs +ws +0\.50 +≤ 1\.00/);
    assert.match(text, /✗ {2}single-ws/);
    assert.match(text, /missed 1 of 2 targets: single-ws/);
  });

  it('aligns its columns', () => {
    const rows = [rowOf([1_234], [2]), rowOf([0.01], [2])];
    const [, first = '', second = ''] = tableText(rows).split('\n');
    assert.equal(first.indexOf('µs'), second.indexOf('µs'));
  });
});

describe('the page', () => {
  const some: Workload[] = workloads.slice(0, 1);

  it('shows figures, notes and omissions', () => {
    const row = { ...rowOf([3], [2]), note: 'ws: 7 ms' };
    const leftOut = [{ name: 'burst-bun', reason: 'no Bun here' }];
    const page = benchmarksPage({ ...noResults(), rows: [row], leftOut }, some);
    assert.match(
      page,
      /\| `burst-ws` +\| 3\.00 +\| 2\.00 +\|.*\| 1\.50 +\| ≤ 1\.00 +\| ✗ missed \|/,
    );
    assert.match(page, /0 of 1 targets hold/);
    assert.match(page, /- `burst-ws`: ws: 7 ms/);
    assert.match(page, /- `burst-bun`: no Bun here/);
  });

  it('never counts a row without a target', () => {
    const free = compare({ ...head, name: 'storm' }, { ours: [9], peer: [1] });
    const page = benchmarksPage({ ...noResults(), rows: [rowOf([1], [2]), free] }, some);
    assert.match(page, /1 of 1 targets hold/);
    assert.match(page, /\| `storm` +\| 9\.00 +\| 1\.00 +\|.*\| 9\.00 +\| – +\| – +\|/);
  });

  it('has no long lines outside its table', () => {
    const page = benchmarksPage({ ...noResults(), rows: [rowOf([1], [2])] }, workloads);
    const long = page.split('\n').filter((line) => !line.startsWith('|') && line.length > 110);
    assert.deepEqual(long, []);
  });
});

describe('the picture', () => {
  it('has axes of few round steps', () => {
    assert.deepEqual([9.5, 10, 11, 260, 0.7].map(niceStep), [2, 2, 5, 100, 0.2]);
  });

  it('draws every cost at its height, and labels the last one', () => {
    const points = [[500, 10] as const, [1_000, 5] as const];
    const svg = drawPlots([{ plot: 'burst', subject: 'mooring', points }], crowdPicture);
    const heights = [...svg.matchAll(/cy="([\d.]+)"/g)].map(([, y]) => Number(y));
    assert.deepEqual(heights, [56, 56 + 190 / 2]);
    assert.match(svg, /Mooring 5\.00/);
    assert.match(svg, /not measured/);
  });
});

describe('the topics of connections', () => {
  const memberships = { topics: 200, each: 10 };
  const all = Array.from({ length: 2_000 }, (_, connection) => topicsOf(connection, memberships));

  it('are as many as wanted, each with as many members', () => {
    assert.ok(all.every((topics) => new Set(topics).size === 10));
    const sizes = new Map<number, number>();
    for (const topic of all.flat()) sizes.set(topic, (sizes.get(topic) ?? 0) + 1);
    assert.deepEqual([sizes.size, new Set(sizes.values())], [200, new Set([100])]);
  });

  it('are not those of another connection', () => {
    const sets = all.map((topics) => topics.toSorted((a, b) => a - b).join());
    assert.equal(new Set(sets).size, all.length);
  });
});

describe('growth', () => {
  const topics = (points: readonly (readonly [number, number])[]) => [
    { plot: plots.topics, subject: 'mooring', points },
  ];

  it('is the exponent of a cost', () => {
    assert.equal(
      growthExponent([
        [1, 4],
        [10, 4],
        [100, 4],
      ]),
      0,
    );
    assert.ok(
      Math.abs(
        growthExponent([
          [1, 4],
          [10, 40],
          [100, 400],
        ]) - 1,
      ) < 1e-9,
    );
  });

  it('is told for each promise that was measured', () => {
    assert.deepEqual(growthTexts([]), []);
    const [flat = ''] = growthTexts(
      topics([
        [1, 0.5],
        [10, 0.52],
        [1_000, 0.51],
      ]),
    );
    assert.match(
      flat,
      /it holds\. A delivery takes 0\.50 µs at 1 and 0\.51 µs at 1,000 topics of each member\.$/,
    );
    const [steep = ''] = growthTexts(
      topics([
        [1, 0.5],
        [10, 0.8],
        [100, 1.4],
      ]),
    );
    assert.match(steep, /it does not hold: the cost of one grows as n\^0\.22\./);
  });

  it('has a page with its picture only when it was measured', () => {
    const results = { ...noResults(), rows: [rowOf([1], [2])] };
    assert.doesNotMatch(benchmarksPage(results, []), /benchmarks-growth\.svg/);
    const curves = topics([
      [1, 1],
      [10, 1],
    ]);
    assert.match(benchmarksPage({ ...results, curves }, []), /\(benchmarks-growth\.svg\)/);
  });
});

describe('the curves', () => {
  it('replace those of the same plot', () => {
    const curve = (plot: string, cost: number) => ({
      plot,
      subject: 'ws',
      points: [[1, cost] as const],
    });
    const outcome = (...curves: ReturnType<typeof curve>[]) => ({ rows: [], leftOut: [], curves });
    const before = withOutcome(noResults(), outcome(curve('burst', 1), curve('topics', 1)));
    const after = withOutcome(before, outcome(curve('burst', 2)));
    assert.deepEqual(after.curves, [curve('topics', 1), curve('burst', 2)]);
  });

  it('have a place in exactly one picture', () => {
    const drawn = pictures.flatMap(({ panels }) => panels.map(({ plot }) => plot));
    assert.deepEqual(drawn.sort(), Object.values(plots).sort());
    assert.match(drawPlots([], growthPicture), /not measured/);
  });
});

describe('FrameReader', () => {
  const frames = Buffer.concat([
    buildFrame({ opcode: opcode.text, payload: 'x'.repeat(300), masked: false }),
    buildFrame({ opcode: opcode.ping, payload: 'hi', masked: false }),
    buildFrame({ opcode: opcode.text, payload: 'y'.repeat(70_000), masked: false }),
    buildFrame({ opcode: opcode.text, payload: '', masked: false }),
  ]);

  for (const size of [1, 2, 7, 4_096, frames.length]) {
    it(`finds the same frames in pieces of ${size} bytes`, () => {
      const found: string[] = [];
      const reader = new FrameReader((frame) => found.push(`${frame.opcode}:${frame.length}`));
      for (let at = 0; at < frames.length; at += size) {
        reader.read(frames, at, Math.min(at + size, frames.length));
      }
      assert.deepEqual(found, ['1:300', '9:2', '1:70000', '1:0']);
    });
  }

  it('locates the start of the payload', () => {
    let said = '';
    const reader = new FrameReader(({ opcode: kind, bytes, start, length }) => {
      if (kind === opcode.ping) said = bytes.toString('latin1', start, start + length);
    });
    reader.read(frames, 0, frames.length);
    assert.equal(said, 'hi');
  });
});
