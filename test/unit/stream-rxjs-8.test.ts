import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A module loader that gives RxJS 8 to every import of RxJS. */
const loader = `
  export function resolve(name, context, next) {
    return next(name === 'rxjs' || name.startsWith('rxjs/') ? 'rxjs-8' : name, context);
  }`;

/** Code as a module that can be imported. */
const moduleOf = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;

describe('Stream with RxJS 8', () => {
  it('behaves as with RxJS 7', () => {
    const register = `import { register } from 'node:module'; register(${JSON.stringify(moduleOf(loader))});`;
    const test = fileURLToPath(new URL('./stream.test.js', import.meta.url));
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--import', moduleOf(register), '--test-reporter=tap', test],
      { env, encoding: 'utf8' },
    );
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^# pass [1-9]/m);
  });
});
