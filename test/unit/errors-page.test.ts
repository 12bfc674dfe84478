import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes } from '../../src/index.ts';
import { filesIn, read, tableRows } from '../package/repository.ts';

describe('docs/reference/errors.md', () => {
  const rows = tableRows(read('docs/reference/errors.md'));

  it('has one row for every code, in the order of the source, and no others', () => {
    assert.deepEqual(
      rows.map(({ Code }) => Code),
      Object.keys(errorCodes),
    );
  });

  it('gives each code the meaning that the source gives it', () => {
    assert.deepEqual(
      rows.map(({ Meaning }) => Meaning),
      Object.values(errorCodes).map((meaning) => meaning.replaceAll('`', '')),
    );
  });

  it('names for each code where it appears and what to do', () => {
    const empty = rows.filter((row) => !row['Where it appears'] || !row['What to do']);
    assert.deepEqual(empty, []);
  });
});

describe('docs/reference/warnings.md', () => {
  it('lists every warning, and no others', () => {
    const given = filesIn('src', '.ts').flatMap((file) => read(file).match(/'MOORING_\w+'/g) ?? []);
    const told = tableRows(read('docs/reference/warnings.md')).map(({ Code }) => `'${Code}'`);
    assert.deepEqual(told.toSorted(), [...new Set(given)].toSorted());
  });
});
