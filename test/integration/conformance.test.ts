// Goal: the script for conformance runs finds a `wstest`, runs it against both sides and reports the results correctly.
// Method: a stand-in on the PATH with two cases of its own, because the suite needs a Python that few machines have.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { root } from '../package/repository.ts';

const script = join(root, '.test/test/conformance/conformance.js');
const standIn = join(root, '.test/test/support/wstest-stand-in.js');

describe('npm run conformance', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'conformance-test-'));
    mkdirSync(join(folder, 'bin'));
    const program = `#!/bin/sh\nexec "${process.execPath}" "${standIn}" "$@"\n`;
    writeFileSync(join(folder, 'bin/wstest'), program, { mode: 0o755 });
    // A file that is not executable is skipped, as a shell does.
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, 'other/wstest'), '');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function run(folders: readonly string[], way = '') {
    const path = folders.map((name) => join(folder, name)).join(delimiter);
    const child = spawn(process.execPath, [script], {
      env: { PATH: path, TMPDIR: folder, STAND_IN: way },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [printed, complaints] = ['', ''];
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => {
      complaints += chunk;
    });
    const [status] = await once(child, 'close');
    const lines = printed.trimEnd().split('\n').slice(1);
    return { status, lines, complaints };
  }

  it('prints the results of the suite for a server and a client', async () => {
    const { status, lines, complaints } = await run(['other', 'bin']);
    assert.deepEqual([status, complaints], [0, '']);
    assert.deepEqual(lines, ['server: 2 cases: 2 OK; 0 failed', 'client: 2 cases: 2 OK; 0 failed']);
  });

  it('fails when a case fails, and names the case', async () => {
    const { status, lines } = await run(['bin'], 'fails');
    assert.equal(status, 1);
    const failed = '  9.1.1: FAILED, closing handshake: OK';
    assert.deepEqual(lines, [
      ...['server: 2 cases: 1 OK, 1 FAILED; 1 failed', failed],
      ...['client: 2 cases: 1 OK, 1 FAILED; 1 failed', failed],
    ]);
  });

  it('fails when the suite fails', async () => {
    const { status, complaints } = await run(['bin'], 'breaks');
    assert.deepEqual([status, complaints], [1, 'conformance: wstest exited with 3\n']);
  });

  it('explains in one sentence how to get the suite where it is missing', async () => {
    const { status, lines, complaints } = await run(['other']);
    assert.deepEqual([status, lines], [1, []]);
    assert.match(complaints, /^conformance: there is no wstest on the PATH; .*\.\n$/);
  });
});
