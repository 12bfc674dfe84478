import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { rowsNotShown, rowsNotShownOfClients } from '../support/rows-not-shown.ts';

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

/** Every situation of the catalogue that a client can meet, by its id. */
const clientCatalogue: Record<string, readonly string[]> = {
  'before open': [
    ...['B01', 'B02', 'B02b', 'B03', 'B03b', 'B03c', 'B05', 'B05u', 'B05v', 'B05w', 'B05x', 'B06'],
    ...['B06d', 'B07', 'B07b', 'B07c', 'B08', 'B09', 'B09b', 'B09d', 'B10', 'B12', 'B13', 'B14'],
    ...['B14c', 'B15', 'B16', 'B17', 'B18', 'B18b', 'B19', 'B20', 'B21', 'B22', 'B23'],
  ],
  'closing handshake': [
    ...['C01', 'C02', 'C03', 'C04', 'C05', 'C05b', 'C05c', 'C05d', 'C06', 'C06b', 'C07', 'C07b'],
    ...['C08', 'C09', 'C09b', 'C09c', 'C09d', 'C10', 'C11', 'C15', 'E08b', 'I10d', 'I13'],
  ],
  network: [
    ...['D01', 'D02', 'D03', 'D03b', 'D03c', 'D03d', 'D04', 'D05', 'D05b', 'D05c', 'D05d', 'D06'],
    ...['D06b', 'D07', 'D07c', 'D07d', 'D07e', 'D07f', 'D08', 'D08b', 'D09', 'D12', 'D13', 'D14'],
    ...['D14b', 'D14c', 'G06', 'I06', 'netns-idle', 'netns-recover', 'netns-keepalive'],
    ...['netns-write', 'netns-close', 'netns-terminate'],
  ],
  protocol: ['E03', 'E04c', 'E05', 'E05b', 'E05c', 'E06', 'E07', 'E09', 'E10', 'E11'],
};

const INTEGRATION = new URL('../../../test/integration/', import.meta.url);
// A URL is no comment.
const COMMENT = /\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g;
const STRING = /'[^'\n]*'|`[^`]*`|"[^"\n]*"/g;
const ID = /\b(?:[A-I]\d{2}[a-z]?|netns-[a-z]+)\b/g;

/** The ids in the titles of the integration tests in these files; some titles come from tables. */
function shownIds(files = /./): Set<string> {
  const sources = readdirSync(INTEGRATION)
    .filter((file) => files.test(file))
    .map((file) => readFileSync(new URL(file, INTEGRATION), 'utf8').replaceAll(COMMENT, ''));
  const titles = sources.flatMap((source) => source.match(STRING) ?? []);
  return new Set(titles.flatMap((title) => title.match(ID) ?? []));
}

describe('catalogue', () => {
  const shown = shownIds();
  const shownOfClients = shownIds(/^client-/);

  for (const [section, ids] of Object.entries(catalogue)) {
    it(`shows every server situation of "${section}", or says why it cannot`, () => {
      const missing = ids.filter((id) => !shown.has(id) && rowsNotShown[id] === undefined);
      assert.deepEqual(missing, []);
    });
  }

  for (const [section, ids] of Object.entries(clientCatalogue)) {
    it(`shows every client situation of "${section}", or says why it cannot`, () => {
      const missing = ids.filter(
        (id) => !shownOfClients.has(id) && rowsNotShownOfClients[id] === undefined,
      );
      assert.deepEqual(missing, []);
    });
  }

  it('excuses nothing that is shown', () => {
    const excused = [
      ...Object.keys(rowsNotShown).filter((id) => shown.has(id)),
      ...Object.keys(rowsNotShownOfClients).filter((id) => shownOfClients.has(id)),
    ];
    assert.deepEqual(excused, []);
  });
});
