import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes, MooringError, toError } from '../../src/core/errors.ts';

describe('MooringError', () => {
  it('is an Error with a name, a stable code and its cause', () => {
    const cause = new Error('why');
    const error = new MooringError('invalid-topic', 'no', { cause });
    assert.ok(error instanceof Error);
    assert.deepEqual(
      [error.name, error.code, error.message],
      ['MooringError', 'invalid-topic', 'no'],
    );
    assert.equal(error.cause, cause);
    assert.match(String(error), /^MooringError: no$/);
    assert.ok(error.stack?.includes('errors.test'));
  });

  it('has codes in kebab-case, each explained in one sentence', () => {
    for (const [code, meaning] of Object.entries(errorCodes)) {
      assert.match(code, /^[a-z]+(-[a-z]+)+$/);
      assert.match(meaning, /^[A-Z`].*\.$/);
    }
  });
});

describe('toError', () => {
  it('leaves an Error unchanged, whatever its class', () => {
    for (const error of [
      new Error('a'),
      new TypeError('b'),
      new MooringError('invalid-topic', 'c'),
    ]) {
      assert.equal(toError(error), error);
    }
  });

  it('describes a thrown value that is not an Error', () => {
    const named: [unknown, string][] = [
      ['text', 'text'],
      [undefined, 'undefined'],
      [null, 'null'],
      [7, '7'],
      [1n, '1'],
      [Symbol('s'), 'Symbol(s)'],
      [{ toString: () => 'itself' }, 'itself'],
    ];
    for (const [thrown, name] of named) {
      assert.equal(toError(thrown).message, `non-error thrown: ${name}`);
    }
  });

  it('makes an Error even of a value that cannot be printed', () => {
    const unprintable = {
      toString() {
        throw new Error('not even this');
      },
    };
    for (const thrown of [Object.create(null), unprintable, { toString: 7, valueOf: 7 }]) {
      assert.equal(toError(thrown).message, 'non-error thrown');
    }
  });
});
