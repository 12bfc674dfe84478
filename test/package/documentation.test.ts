import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { filesIn, read, root } from './repository.ts';

// Goal: docs/llms.txt is an index of the documentation that a program can follow (llmstxt.org). Method: compare its
// links with the files.

const index = read('docs/llms.txt');
const links = [...index.matchAll(/^- \[(.+)\]\((.+)\): (.+)$/gm)].map(
  ([, title = '', target = '', summary = '']) => ({ title, path: join('docs', target), summary }),
);

describe('docs/llms.txt', () => {
  it('begins with a title, a summary and key facts', () => {
    assert.match(index, /^# Mooring\n\n> \S.*\n\n[A-Z][^#]*\n\n## /);
  });

  it('has sections that are lists of links and nothing else', () => {
    const [, ...sections] = index.split(/^## .+\n\n/m);
    const lines = sections.flatMap((section) => section.trim().split('\n'));
    assert.equal(lines.length, links.length);
    assert.match(index, /\n## Optional\n/);
  });

  it('lists every page once, and only existing pages', () => {
    const pages = [
      'README.md',
      'test/README.md',
      'docs/reference/options.schema.json',
      ...filesIn('docs', '.md'),
    ];
    assert.deepEqual(links.map(({ path }) => path).sort(), pages.sort());
    assert.deepEqual(
      links.filter(({ path }) => !existsSync(join(root, path))),
      [],
    );
  });

  it('calls each page by its title', () => {
    const wrong = links
      .filter(({ path }) => path.endsWith('.md'))
      .filter(({ path, title }) => /^# (.+)$/m.exec(read(path))?.[1] !== title);
    assert.deepEqual(wrong, []);
  });

  it('describes each page in one line', () => {
    assert.deepEqual(
      links.filter(({ summary }) => summary.length > 140),
      [],
    );
  });
});
