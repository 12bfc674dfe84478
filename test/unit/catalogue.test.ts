import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { rowsNotShown } from '../support/rows-not-shown.ts';

/** Every situation of the lifecycle catalogue that a server can meet, by its id. */
const catalogue: Record<string, readonly string[]> = {
  'before open': [
    ...['A01', 'A01b', 'A02', 'A02b', 'A03', 'A04', 'A05', 'A06', 'A06b', 'A06c', 'A07', 'A07b'],
    ...['A08', 'A08b', 'A08c', 'A08d', 'A09', 'A10', 'A11', 'A11b', 'A11c', 'A12', 'A12b', 'A12d'],
    ...['A13', 'A14', 'A15', 'A16', 'A17', 'A18', 'A19', 'A20', 'I01', 'I02', 'I03', 'I04', 'I05'],
    'G05',
  ],
  'closing handshake': [
    ...['C01', 'C02', 'C03', 'C04', 'C05', 'C05b', 'C05c', 'C05d', 'C06', 'C06b', 'C07', 'C07b'],
    ...['C08', 'C09', 'C09b', 'C09c', 'C09d', 'C10', 'C11', 'C13', 'C15', 'C17', 'E08b'],
    ...['I07', 'I10d', 'I13'],
  ],
  network: [
    ...['D01', 'D02', 'D03', 'D03b', 'D03c', 'D03d', 'D04', 'D05', 'D05b', 'D05c', 'D05d', 'D06'],
    ...['D06b', 'D07', 'D07c', 'D07d', 'D07e', 'D07f', 'D08', 'D08b', 'D09', 'D12', 'D13', 'D14'],
    ...['D14b', 'D14c', 'G06', 'I06', 'netns-idle', 'netns-recover', 'netns-keepalive'],
    ...['netns-write', 'netns-close', 'netns-terminate'],
  ],
  protocol: ['E04c', 'E05', 'E05b', 'E05c', 'E06', 'E07', 'E09', 'E10', 'E11'],
  'API and runtime': [
    ...['F01', 'F02', 'F03', 'F04', 'F04b', 'F04c', 'F04d', 'F04e', 'F05', 'F06', 'F07', 'F07b'],
    ...['F07e', 'F10', 'F11', 'F12', 'E12', 'I14', 'G01', 'G01c', 'G02', 'G03', 'G04', 'G07'],
  ],
};

const INTEGRATION = new URL('../../../test/integration/', import.meta.url);
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*/g;
const STRING = /'[^'\n]*'|`[^`]*`|"[^"\n]*"/g;
const ID = /\b(?:[A-I]\d{2}[a-f]?|netns-[a-z]+)\b/g;

/** The ids in the titles of all integration tests; some titles come from tables. */
function shownIds(): Set<string> {
  const sources = readdirSync(INTEGRATION).map((file) =>
    readFileSync(new URL(file, INTEGRATION), 'utf8').replaceAll(COMMENT, ''),
  );
  const titles = sources.flatMap((source) => source.match(STRING) ?? []);
  return new Set(titles.flatMap((title) => title.match(ID) ?? []));
}

describe('catalogue', () => {
  const shown = shownIds();

  for (const [section, ids] of Object.entries(catalogue)) {
    it(`shows every server situation of "${section}", or says why it cannot`, () => {
      const missing = ids.filter((id) => !shown.has(id) && rowsNotShown[id] === undefined);
      assert.deepEqual(missing, []);
    });
  }

  it('excuses nothing that is shown', () => {
    const excused = Object.keys(rowsNotShown).filter((id) => shown.has(id));
    assert.deepEqual(excused, []);
  });
});
