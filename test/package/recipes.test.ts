import assert from 'node:assert/strict';
import { basename } from 'node:path';
import { describe, it } from 'node:test';
import { filesIn, read } from './repository.ts';

// Goal: the code in a recipe is the code that the tests run. Method: a page shows the file of its name.

const EXAMPLES = 'docs/examples/recipes';
const PAGES = 'docs/recipes';
const INDEX = `${PAGES}/README.md`;

const codes = filesIn(EXAMPLES);
const pages = filesIn(PAGES, '.md').filter((page) => page !== INDEX);
const nameOf = (path: string) => basename(path).replace(/\.\w+$/, '');

describe('docs/recipes', () => {
  it('has one page for each file of code, and one file for each page', () => {
    assert.deepEqual(pages.map(nameOf), codes.map(nameOf));
  });

  for (const file of codes) {
    it(`${nameOf(file)}.md shows the tested code`, () => {
      const page = read(`${PAGES}/${nameOf(file)}.md`);
      const language = file.endsWith('.tsx') ? 'tsx' : 'ts';
      const blocks = page.split(`\`\`\`${language}\n`).slice(1);
      // The first block, so that a failure shows where the two differ.
      assert.equal(blocks[0]?.split('```')[0], read(file));
    });
  }

  it('lists every page', () => {
    const listed = [...read(INDEX).matchAll(/\]\((\w[\w-]*)\.md\)/g)].map(([, name]) => name);
    assert.deepEqual(listed.toSorted(), pages.map(nameOf).toSorted());
  });

  it('explain on every page what can go wrong', () => {
    const silent = pages.filter((page) => !read(page).includes('\n## What can go wrong\n'));
    assert.deepEqual(silent, []);
  });
});
