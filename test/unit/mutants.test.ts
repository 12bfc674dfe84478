// Goal: every planted fault can be planted, and the page matches the list. Method: look up each fault in the
// code that it changes and in the table. `npm run mutants` determines which suites find it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mutants } from '../mutants/mutants.ts';
import { mutantsPage, PAGE, rowsOf } from '../mutants/page.ts';
import { suites } from '../mutants/suites.ts';
import { read } from '../package/repository.ts';

describe('the planted faults', () => {
  it('each replace one place in the current code', () => {
    const offenders = mutants.filter(({ file, from }) => read(file).split(from).length !== 2);
    assert.deepEqual(
      offenders.map(({ name }) => name),
      [],
    );
  });

  it('have unique names', () => {
    assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length);
  });
});

describe('the page of planted faults', () => {
  const rows = rowsOf(read(PAGE));

  it('lists every fault, and no others', () => {
    assert.deepEqual(
      rows.map(([name, fault]) => [name, fault]),
      mutants.map(({ name, fault }) => [name, fault]),
    );
  });

  it('names a suite for each fault', () => {
    const unfound = rows.filter(([, , ...marks]) => !marks.includes('●'));
    assert.deepEqual(
      unfound.map(([name]) => name),
      [],
    );
  });

  it('marks each fault in the column of the suite that found it', () => {
    const [mutant] = mutants;
    const [first = '', second = ''] = suites.map(({ name }) => name);
    assert.ok(mutant);
    const [row] = rowsOf(mutantsPage([{ mutant, foundBy: new Map([[second, 'a test']]) }]));
    assert.equal(row?.[2], '', first);
    assert.equal(row?.[3], '●', second);
  });

  it('keeps the rows of faults that were not run again', () => {
    const [mutant, other] = mutants;
    assert.ok(mutant && other);
    const one = mutantsPage([{ mutant, foundBy: new Map([['unit', 'a test']]) }]);
    const both = mutantsPage([{ mutant: other, foundBy: new Map() }], one);
    assert.deepEqual(
      rowsOf(both).map(([name]) => name),
      [mutant.name, other.name],
    );
    assert.deepEqual(rowsOf(both)[0], rowsOf(one)[0]);
  });
});
