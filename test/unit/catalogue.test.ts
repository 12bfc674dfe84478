import assert from 'node:assert/strict';
import { basename, dirname } from 'node:path';
import { describe, it } from 'node:test';
import { closeCodeInfo } from '../../src/core/close-code.ts';
import { type DialEvidence, describeDialFailure } from '../../src/core/failure.ts';
import { filesIn, type Row, read, tableRows, withoutComments } from '../package/repository.ts';

// Goal: the page explains every situation that a title cites, each situation names its tests or says why it
// has none, and no row contradicts the code. Method: compare the tables of the page with the strings of the
// tests, because some titles come from tables, and with the page of verdicts, which other tests compare with
// the code.

const PAGE = 'docs/internals/situations.md';
const ID = /\b(?:[A-I]\d{2}[a-z]?|netns-[a-z]+)\b/g;
const STRING = /'[^'\n]*'|`[^`]*`|"[^"\n]*"/g;

const rows = tableRows(read(PAGE)).filter((row) => row['Id'] !== undefined);
const idOf = ({ Id = '' }: Row) => Id;
const testsOf = ({ Tests = '' }: Row) => Tests;
const resultOf = (row: Row) => row['What Mooring does'] ?? '';

/** Where each identifier is cited: `server` and `client` for real sockets, otherwise the folder of the test. */
function citations(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of filesIn('test', '.test.ts')) {
    if (file === 'test/unit/catalogue.test.ts') continue;
    const strings = withoutComments(read(file)).match(STRING) ?? [];
    for (const id of strings.flatMap((text) => text.match(ID) ?? [])) {
      found.set(id, new Set([...(found.get(id) ?? []), ...placesOf(file)]));
    }
  }
  return found;
}

function placesOf(file: string): string[] {
  const folder = basename(dirname(file));
  if (folder !== 'integration') return [folder];
  if (read(file).includes('describeBothSides(')) return ['server', 'client'];
  return [basename(file).startsWith('client-') ? 'client' : 'server'];
}

const cited = citations();

/** What the column of tests must begin with. */
function shownIn(id: string): string {
  const places = [...(cited.get(id) ?? [])].sort();
  const sides = ['server', 'client'].filter((side) => places.includes(side));
  return (sides.length > 0 ? sides : places).join(', ') || 'none';
}

describe(PAGE, () => {
  it('has one row for each identifier, and no identifier that a title could not cite', () => {
    const ids = rows.map(idOf);
    assert.ok(ids.length > 150);
    assert.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) !== index || id.match(ID)?.[0] !== id),
      [],
    );
  });

  it('has a row for each situation that a test title cites', () => {
    const known = new Set(rows.map(idOf));
    assert.deepEqual(
      [...cited.keys()].filter((id) => !known.has(id)),
      [],
    );
  });

  it('names the tests of each situation, or says why it has none', () => {
    const wrong = rows
      .map((row) => ({ id: idOf(row), says: testsOf(row).split(/; no client: |(?<=none): /) }))
      .filter(({ id, says: [place, reason = ''] }) => {
        return place !== shownIn(id) || (place === 'none' && reason === '');
      });
    assert.deepEqual(wrong, []);
  });

  it('gives a reason where the client lacks a situation that both sides can meet', () => {
    const silent = rows.filter((row) => {
      if (!/^(?:[B-E]|netns)/.test(idOf(row)) || /^none/.test(testsOf(row))) return false;
      const [, reason = ''] = testsOf(row).split('; no client: ');
      return shownIn(idOf(row)).includes('client') === reason.length > 0;
    });
    assert.deepEqual(silent, []);
  });
});

const isDialed = (id: string) => id.startsWith('B');
const attempt: DialEvidence = {
  ...{ phase: 'http', address: '', path: '/' },
  ...{ isAborted: false, isLate: false, isTargetError: false },
};
const systemError = (code: string) => Object.assign(new Error(code), { code });

/** An attempt for each cause that the page names. */
const dialEvidence: Readonly<Record<string, Partial<DialEvidence>>> = {
  aborted: { isAborted: true },
  rejected: { answer: { status: 503 } },
  'handshake-timeout': { isLate: true },
  'target-error': { isTargetError: true },
  'wrong-subprotocol': { isUnmatched: true, error: new Error('no subprotocol') },
  'config-error': { phase: 'config', error: new Error('no URL') },
  'dns-error': { phase: 'dns', error: systemError('ENOTFOUND') },
  'tcp-refused': { phase: 'tcp', error: systemError('ECONNREFUSED') },
  'tcp-reset': { error: systemError('ECONNRESET') },
  'tcp-error': { phase: 'tcp', error: systemError('ENOENT') },
  'tls-error': { phase: 'tls', error: systemError('EPROTO') },
  'handshake-invalid': { isUpgraded: true, error: new Error('no WebSocket') },
};

describe(`${PAGE}: what Mooring does`, () => {
  const verdicts = read('docs/reference/verdicts.md');
  const closes = tableRows(verdicts, 'Why a connection closed');
  const failures = tableRows(verdicts, 'Why a connection never opened');
  const text = rows.map((row) => ({ id: idOf(row), result: resultOf(row) }));

  /** Every conclusion of this kind in the tables, as `id`, cause and the text after it. */
  function conclusions(pattern: RegExp): string[][] {
    return text.flatMap(({ id, result }) =>
      [...result.matchAll(pattern)].map(([, ...parts]) => [id, ...parts.map((part) => part ?? '')]),
    );
  }

  it("gives each closed connection the level of its cause, or of the peer's close code", () => {
    const all = conclusions(/closed ([\w-]+), (\d+|the code of the peer)(?:, (info|warn|error))?/g);
    for (const [id, cause, code = '', level] of all) {
      const told = closes.find(({ Cause }) => Cause === cause)?.['Level'];
      const byCode = /\d/.test(code) ? closeCodeInfo(Number(code)).level : '';
      assert.equal(level, told === 'by code' ? byCode : told, `${id}: ${cause}`);
    }
  });

  it('gives each refused request the level and the status of its cause', () => {
    const all = conclusions(/failed ([\w-]+)(?:, (\d{3}))?, (info|warn|error)/g);
    for (const [id = '', cause, status = '', level] of all.filter(([id = '']) => !isDialed(id))) {
      const { Level, Answer = '' } = failures.find(({ Cause }) => Cause === cause) ?? {};
      assert.equal(level, Level, `${id}: ${cause}`);
      const { [0]: answer = '' } = /\d+/.exec(Answer) ?? [];
      const isFixed = answer !== '' || Answer === '–';
      if (isFixed && status !== '') assert.equal(status, answer, `${id}: ${cause}`);
    }
  });

  it('gives each failed attempt the level of its cause', () => {
    const all = conclusions(/failed ([\w-]+), (?:\d{3}, |the status, )?(info|warn|error)/g);
    for (const [id = '', cause = '', level] of all.filter(([id = '']) => isDialed(id))) {
      const failure = describeDialFailure({ ...attempt, ...dialEvidence[cause] });
      assert.deepEqual([failure.cause, failure.level], [cause, level], id);
    }
  });

  it('has no conclusion that these checks skip', () => {
    const read = [
      ...conclusions(/(closed) [\w-]+, (?:\d+|the code of the peer)/g),
      ...conclusions(/(failed) [\w-]+, (?:\d{3}, |the status, )?(?:info|warn|error)/g),
    ];
    const written = conclusions(/\b(closed|failed) [a-z]+(?:-[a-z]+)*,/g);
    assert.equal(read.length, written.length);
    assert.ok(read.length > 100);
  });
});
