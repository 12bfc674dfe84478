// Goal: the comparison page shows what was observed, whatever text the libraries put into their errors, and names
// every library and situation compared. Method: render a made-up comparison, and read the page as text.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Observation } from '../comparison/observe.ts';
import { codeOf, comparisonPage, PAGE } from '../comparison/page.ts';
import { situations } from '../comparison/situations.ts';
import { subjects } from '../comparison/subjects/index.ts';
import { sideBySide } from '../comparison/terminal.ts';
import { versionOf } from '../comparison/versions.ts';
import { read, tableRows } from '../package/repository.ts';

describe('foreign text in a table', () => {
  it('stays within its cell, code span and line', () => {
    assert.equal(codeOf('a|b `c`\n  d'), "`a\\|b 'c' d`");
  });

  it('is cut between words when it is long', () => {
    const short = 'x'.repeat(64);
    assert.equal(codeOf(short), `\`${short}\``);
    assert.equal(codeOf(`${'word '.repeat(20)}`), `\`${'word '.repeat(12)}…\``);
  });
});

describe('a rendered comparison', () => {
  const observed = { subject: 'ws', trace: [], reports: 0, hasUncaught: false, sent: 'no error' };
  const render = (observations: readonly Observation[]) =>
    comparisonPage({ subjects, situations, observations, versions: { ws: '1.2.3' }, node: '20' });

  it('shows a trace in order, and marks a library that reported nothing', () => {
    const [first, second] = situations.map(({ name }) => name);
    assert.ok(first && second);
    const trace = ['error E', 'close 1006'];
    const page = render([
      { ...observed, situation: first, trace, reports: 2 },
      { ...observed, situation: second },
    ]);
    const cells = (situation: string) => tableRows(page, situation).map(Object.values);
    assert.deepEqual(cells(first), [['ws', 'error E → close 1006', '2', 'no error']]);
    assert.deepEqual(cells(second), [['ws', 'nothing', '0', 'no error']]);
    assert.match(page, /^- ws 1\.2\.3: /m);
  });

  it('counts the situations of each library', () => {
    const page = render([
      { ...observed, situation: 'a', reports: 1 },
      { ...observed, situation: 'b', reports: 2, hasUncaught: true },
      { ...observed, situation: 'c', reports: 3 },
      { ...observed, situation: 'd' },
    ]);
    const [row = {}] = tableRows(page, 'Summary');
    assert.deepEqual(Object.values(row), ['ws', '1', '2', '1', '1']);
  });
});

describe(PAGE, () => {
  const page = read(PAGE);
  const names = subjects.map(({ name }) => name);

  for (const { name, about } of situations) {
    it(`shows every library in: ${name}`, () => {
      const rows = tableRows(page, name);
      assert.deepEqual(
        rows.map((row) => row['Library']),
        names,
      );
      assert.ok(page.replaceAll('\n', ' ').includes(about));
    });
  }

  it('names the installed versions', () => {
    const missing = names.filter((name) => !page.includes(`- ${name} ${versionOf(name)}: `));
    assert.deepEqual(missing, [], 'npm run compare -- --write regenerates it');
  });

  it('shows exactly one report of Mooring in every situation', () => {
    const reports = situations.map(
      ({ name }) => tableRows(page, name).find((row) => row['Library'] === 'mooring')?.['Reports'],
    );
    assert.deepEqual(new Set(reports), new Set(['1']));
  });
});

describe('a comparison in a terminal', () => {
  const observed = { subject: 'ws', reports: 1, hasUncaught: false, sent: 'no error' };
  const [situation = { name: '', about: '' }] = situations;
  const trace = ['open', `error ${'word '.repeat(8)}`, 'x'.repeat(70)];
  const observations = [{ ...observed, situation: situation.name, trace }];
  const told = { subjects, situations, observations, versions: {}, node: '20' };

  it('gives each library a column, and puts each step below the one before', () => {
    const [name, about, , head, , first] = sideBySide(told, 160).split('\n');
    assert.deepEqual([name, about], [situation.name, situation.about]);
    assert.deepEqual(
      head?.split('│').map((cell) => cell.trim()),
      subjects.map((subject) => subject.name),
    );
    assert.match(first ?? '', /^open +│ nothing/);
  });

  it('is at most the given width, and cuts no text', () => {
    for (const columns of [110, 160, 240]) {
      const text = sideBySide(told, columns);
      const widest = Math.max(
        ...text
          .split('\n')
          .filter((line) => line.includes('│'))
          .map(({ length }) => length),
      );
      assert.ok(widest <= columns, `${widest} of ${columns}`);
      const column = text
        .split('\n\n\n')[0]
        ?.split('\n')
        .map((line) => line.split('│')[0]?.trim() ?? '')
        .join('');
      assert.equal(column?.includes('x'.repeat(70)), true);
      assert.equal(text.match(/word/g)?.length, 8);
    }
  });
});
