import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { guarded, isThenable } from '../../src/core/guard.ts';
import { createSupervisor } from '../../src/index.ts';
import { turns } from '../support/until.ts';

const boom = new Error('boom');

function fail(): never {
  throw boom;
}

/** An object with a `then` that is not a promise. */
function withThen(then: unknown): object {
  return Object.fromEntries([['then', then]]);
}

const hostile = Object.defineProperty({}, 'then', { get: fail });

/** Runs a guarded function. Returns its result and the reported errors. */
async function run(call: () => unknown): Promise<{ result: unknown; reported: Error[] }> {
  const reported: Error[] = [];
  const result = guarded(call, (error) => reported.push(error));
  await turns(2);
  return { result, reported };
}

describe('guarded', () => {
  it('returns what was returned', async () => {
    for (const value of [undefined, null, 0, '', 'text', withThen('not a function')]) {
      assert.deepEqual(await run(() => value), { result: value, reported: [] });
    }
  });

  it('reports what was thrown, as an Error', async () => {
    assert.deepEqual(await run(fail), { result: undefined, reported: [boom] });
    const { reported } = await run(() => {
      throw 'text';
    });
    assert.equal(reported[0]?.message, 'non-error thrown: text');
  });

  it('reports what was rejected, once, and returns the promise', async () => {
    const promise = Promise.reject(boom);
    const { result, reported } = await run(() => promise);
    assert.equal(result, promise);
    assert.deepEqual(reported, [boom]);
  });

  it('reports nothing for a fulfilled promise', async () => {
    const { reported } = await run(async () => 'done');
    assert.deepEqual(reported, []);
  });

  it('watches thenables that are not promises', async () => {
    const thenable = withThen((_: unknown, reject: (error: Error) => void) => reject(boom));
    assert.deepEqual((await run(() => thenable)).reported, [boom]);
  });

  it('survives a thenable that throws when it is watched', async () => {
    assert.deepEqual((await run(() => withThen(fail))).reported, [boom]);
    assert.deepEqual((await run(() => hostile)).reported, [boom]);
  });
});

describe('isThenable', () => {
  it('is true for anything that can be awaited', () => {
    assert.equal(isThenable(Promise.resolve()), true);
    assert.equal(isThenable(withThen(fail)), true);
  });

  it('is false for everything else', () => {
    for (const value of [undefined, null, 1, 'then', {}, [], withThen(1), fail]) {
      assert.equal(isThenable(value), false);
    }
  });
});

describe('an inspector that throws', () => {
  it('harms neither the supervisor nor its caller', async () => {
    const supervisor = createSupervisor({ inspect: fail });
    supervisor.suspend();
    assert.equal(supervisor.state, 'suspended');
    supervisor.admit();
    assert.equal(supervisor.state, 'admitting');
    const report = await supervisor.drain();
    assert.equal(report.closed, 0);
    assert.equal(supervisor.state, 'stopped');
  });
});
