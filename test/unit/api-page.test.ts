import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { entries } from '../../docs/typedoc/files.ts';
import { wrapped } from '../../docs/typedoc/wrap.ts';
import { browserEntryOf, entryOf, exported, symbolsOf } from '../package/entry-points.ts';
import { filesIn, read } from '../package/repository.ts';

// Goal: the API reference covers every export of the package. Method: read the names from the entry points and look
// them up on their pages. `npm run docs -- --check` compares the texts; it needs TypeDoc.

const FOLDER = 'docs/reference/api';

describe('the API reference', () => {
  it('has a page for each entry point', () => {
    const sources = exported.flatMap(([subpath]) => {
      const entry = entryOf(subpath) ?? subpath;
      return [entry, browserEntryOf(entry) ?? []].flat();
    });
    assert.deepEqual(
      entries.map(({ source }) => source),
      sources,
    );
    const pages = ['README', ...entries.map(({ page }) => page)];
    assert.deepEqual(filesIn(FOLDER), pages.map((page) => `${FOLDER}/${page}.md`).sort());
  });

  for (const { source, page, title } of entries) {
    it(`names everything that ${title} exports, and nothing else`, () => {
      const text = read(`${FOLDER}/${page}.md`);
      const described = text.match(/(?<=^### )\w+/gm) ?? [];
      const [, shared = ''] = text.split('## Also exported');
      const named = [...described, ...(shared.match(/(?<=\[`)\w+/g) ?? [])];
      assert.deepEqual(
        named.sort(),
        symbolsOf(source)
          .map((symbol) => symbol.as)
          .sort(),
      );
    });
  }

  it('describes every export', () => {
    const silent = entries.flatMap(({ page }) =>
      read(`${FOLDER}/${page}.md`)
        .split(/^(?=#{2,4} )/m)
        .filter((part) => /^#{3,4} /.test(part))
        .filter((part) => part.replaceAll(/^(?:#.*|See .*)$|^```[\s\S]*?^```$/gm, '').trim() === '')
        .map((part) => `${page}: ${part.split('\n')[0]}`),
    );
    assert.deepEqual(silent, []);
  });

  it('leaves no table row without a description', () => {
    const silent = entries.flatMap(({ page }) =>
      (read(`${FOLDER}/${page}.md`).match(/^\| (?!Property|Name|-).*\| \|$/gm) ?? []).map(
        (row) => `${page}: ${row}`,
      ),
    );
    assert.deepEqual(silent, []);
  });
});

describe('wrapped', () => {
  const long = 'x'.repeat(60);

  it('leaves a short line unchanged', () => {
    assert.equal(wrapped('send(message: Out): SendResult;'), 'send(message: Out): SendResult;');
  });

  it('puts each parameter on its own line, whatever its brackets contain', () => {
    assert.equal(
      wrapped(`function f<A>(${long}: (a: A, b: B) => void, options?: { c: D }): Promise<E>;`),
      `function f<A>(\n  ${long}: (a: A, b: B) => void,\n  options?: { c: D },\n): Promise<E>;`,
    );
  });

  it('wraps long type parameters in the same way', () => {
    assert.equal(
      wrapped(`function f<${long} = Map<string, A>, ${long}>(): void;`),
      `function f<\n  ${long} = Map<string, A>,\n  ${long},\n>(): void;`,
    );
  });
});
