import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { filesIn, read, root, section, tableRows } from '../package/repository.ts';

// Goal: the repository tests what it promises about versions. Method: read the page, the workflow, package.json and the
// packages of test/package/, and compare them with each other.

const page = read('docs/internals/releasing.md');
const workflow = read('.github/workflows/test.yml');
const manifest = JSON.parse(read('package.json'));
const major = (version: string) => Number.parseInt(version, 10);

/** The versions of Node.js that the workflow starts, oldest first. */
const [oldest = '', ...others] = [
  ...[...workflow.matchAll(/image: node:([\d.]+)$/gm)].map(([, version = '']) => version),
  ...(/node: \[(.*)\]/.exec(workflow)?.[1]?.split(', ') ?? []),
];

describe('docs/internals/releasing.md', () => {
  it('lists the versions of Node.js that the workflow tests', () => {
    const promised = tableRows(page, 'Node\\.js').map(({ 'Node.js': version }) => Number(version));
    assert.deepEqual(promised, [oldest, ...others].map(major));
  });

  it('begins with the version that package.json requires, and so does the workflow', () => {
    assert.equal(manifest.engines.node, `>=${oldest}`);
    assert.ok(section(page, 'Node\\.js').includes(`From ${oldest}.`));
  });

  it('names every entry point', () => {
    const [row] = tableRows(page, 'What is public');
    for (const entry of Object.keys(manifest.exports)) {
      if (entry !== './package.json')
        assert.match(row?.['Listed in'] ?? '', new RegExp(`${entry},?( |$)`));
    }
  });

  it('names the versions of TypeScript that can read the types, and so does the README', () => {
    const { dependencies } = JSON.parse(read('test/package/others/package.json'));
    const names = Object.keys(dependencies).filter((name) => name.startsWith('typescript-'));
    const older = names.map((name) => name.replace('typescript-', ''));
    const own = major(manifest.devDependencies.typescript);
    const sentence = `TypeScript ${older.join(', ')} and ${own}`;
    assert.ok(section(page, 'TypeScript and dependencies').includes(sentence), sentence);
    assert.ok(section(read('README.md'), 'Requirements').includes(sentence), sentence);
  });
});

describe('the workflow', () => {
  it('runs scripts that exist', () => {
    const runs = [...workflow.matchAll(/- run: (.*)$/gm)].map(([, command = '']) => command);
    assert.ok(runs.includes('bash .ci/run') && runs.includes('npm test'));
    assert.ok(existsSync(join(root, '.ci/run')));
  });
});

describe('the packages of other compilers and runtimes', () => {
  it('are pinned to exact versions', () => {
    const { dependencies } = JSON.parse(read('test/package/others/package.json'));
    for (const version of Object.values<string>(dependencies)) {
      assert.match(version, /^(npm:typescript@)?\d+\.\d+\.\d+$/);
    }
  });
});

describe('.github/', () => {
  it('has forms whose field names are unique', () => {
    for (const path of filesIn('.github/ISSUE_TEMPLATE', '.yml')) {
      const ids = [...read(path).matchAll(/^ {4}id: (\w+)$/gm)].map(([, id]) => id);
      assert.equal(new Set(ids).size, ids.length, path);
    }
  });
});
