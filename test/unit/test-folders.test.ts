import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { filesIn, read, root, tableRows } from '../package/repository.ts';

// Goal: `npm test` leaves no test out, and test/README.md lists every folder. Method: read the folders
// from the disk, and compare them with the script and the page.

const folderOf = (path: string) => path.split('/')[1] ?? '';
const folders = [...new Set(filesIn('test', '.ts').filter(isInFolder).map(folderOf))];
const testFolders = [...new Set(filesIn('test', '.test.ts').map(folderOf))];

function isInFolder(path: string): boolean {
  return path.split('/').length > 2;
}

/** The folders that a column of the page names, each once. */
function named(heading: string): string[] {
  const cells = tableRows(read('test/README.md'), heading).map(({ Folder = '' }) => Folder);
  return [...new Set(cells.map((cell) => cell.replaceAll(/[`/]/g, '')))].sort();
}

describe('npm test', () => {
  const { scripts } = JSON.parse(read('package.json'));

  it('runs every folder that has tests', () => {
    const [, all = ''] = /\|\| names='(.*)'/.exec(read('test/run.sh')) ?? [];
    assert.deepEqual(all.split(' ').sort(), testFolders);
    assert.equal(scripts.test, 'sh test/run.sh');
  });

  it('has a script only for folders that exist, and names each script after its folder', () => {
    const own = Object.entries(scripts).filter(([name]) => name.startsWith('test:'));
    assert.ok(own.length > 0);
    for (const [name, command] of own) {
      const folder = name.slice('test:'.length);
      assert.ok(testFolders.includes(folder), name);
      assert.equal(command, `sh test/run.sh ${folder}`);
    }
  });

  it('refuses an unknown name, and runs nothing', () => {
    const run = spawnSync('sh', [join(root, 'test/run.sh'), 'frame', 'no-such'], {
      encoding: 'utf8',
    });
    assert.match(run.stderr, /^no test is called no-such: /);
    assert.deepEqual([run.status, run.stdout], [1, '']);
  });
});

describe('test/README.md', () => {
  it('describes the content of each folder that has tests, and of no other', () => {
    assert.deepEqual(named('Where does my test go\\?'), testFolders);
  });

  it('describes the content of every other folder', () => {
    const others = folders.filter((folder) => !testFolders.includes(folder));
    assert.deepEqual(named('The other folders'), others);
  });
});
