import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MooringError, Refusal } from '../../src/index.ts';
import { authenticationRefusal, isRefusal } from '../../src/server/authenticate-result.ts';

/** A second copy of the package in this process: its classes differ from ours, its brand does not. */
const copy: typeof import('../../src/server/authenticate-result.ts') = await import(
  new URL('../../src/server/authenticate-result.js?copy', import.meta.url).href
);

/** The error message that the constructor throws for these arguments. */
function complaint(...args: unknown[]): string {
  try {
    new Refusal(...(args as ConstructorParameters<typeof Refusal>));
  } catch (error) {
    assert.ok(error instanceof MooringError);
    assert.equal(error.code, 'invalid-options');
    return error.message;
  }
  return 'none';
}

describe('Refusal', () => {
  it('is 401 without a message by default', () => {
    const refusal = new Refusal();
    assert.deepEqual([refusal.status, refusal.message, refusal.headers], [401, '', {}]);
    assert.equal(refusal.name, 'Refusal');
    assert.ok(refusal instanceof Error);
  });

  it('keeps status, message and headers', () => {
    const headers = { 'Retry-After': 9, 'Set-Cookie': ['a=1', 'b=2'] };
    const refusal = new Refusal(429, 'slow down', headers);
    assert.deepEqual([refusal.status, refusal.message], [429, 'slow down']);
    assert.deepEqual(refusal.headers, headers);
  });

  it('refuses every status other than 4xx and 5xx, and names it', () => {
    const any = fc.oneof(fc.integer(), fc.double(), fc.integer({ min: 390, max: 610 }));
    fc.assert(
      fc.property(any, (status) => {
        const isSound = Number.isInteger(status) && status >= 400 && status <= 599;
        const expected = `status: must be a number from 400 to 599, not ${status}`;
        assert.equal(complaint(status), isSound ? 'none' : expected);
      }),
    );
    assert.match(complaint('403'), /^status: must be a number .*, not the string '403'$/);
  });

  const wrong: Readonly<Record<string, unknown>> = {
    null: null,
    'a string': 'x',
    'a Headers': new Headers({ a: 'b' }),
    'a Map': new Map(),
    'a list': [['a', 'b']],
  };
  for (const [title, headers] of Object.entries(wrong)) {
    it(`refuses ${title} as headers`, () => {
      assert.match(complaint(401, '', headers), /^options: must be an object, not /);
      const within = /^options\.headers: must be an object of header values, not /;
      assert.match(complaint(401, '', { headers }), within);
    });
  }

  const wrongNames = ['', 'X A', 'X-A: b', 'X-A\r\nSet-Cookie', 'Größe', 'a\0'];
  it('refuses invalid header names', () => {
    for (const name of wrongNames) {
      const expected = `options.headers: ${JSON.stringify(name)} is not a valid header name`;
      assert.equal(complaint(401, '', { [name]: 'x' }), expected);
    }
  });

  it('refuses invalid header values, also in lists', () => {
    const broken = ['a\r\nB: c', 'a\n', '\r', '\0', '\x7f', '漢', 'b\ud83d'];
    for (const value of [
      ...broken,
      undefined,
      null,
      {},
      true,
      [['a']],
      ...broken.map((v) => [v]),
    ]) {
      const told = complaint(401, '', { 'X-A': value });
      assert.match(
        told,
        /^options\.headers\.X-A(\.0)?: (is not a valid header value|must be a string, a number or a list)/,
      );
    }
  });

  it('refuses a message that is not a string', () => {
    assert.equal(complaint(401, {}), 'message: must be a string, not an object');
    assert.equal(complaint(401, Symbol('no')), 'message: must be a string, not a symbol');
  });

  it('ignores later changes to the headers that it was given', () => {
    const headers: Record<string, string> = { 'X-A': 'b' };
    const refusal = new Refusal(401, '', headers);
    headers['X-A'] = 'b\r\nSet-Cookie: evil=1';
    assert.deepEqual(refusal.headers, { 'X-A': 'b' });
  });

  it('freezes its headers, and their lists', () => {
    const refusal = new Refusal(401, '', { 'X-A': ['b'] });
    const headers = refusal.headers as Record<string, string | string[]>;
    assert.throws(() => Object.assign(headers, { 'X-B': 'c' }), TypeError);
    assert.throws(() => Object.assign(headers, { 'X-A': 'c' }), TypeError);
    assert.throws(() => (headers['X-A'] as string[]).push('c'), TypeError);
    assert.deepEqual(headers, { 'X-A': ['b'] });
  });

  it('is recognized by another copy of the package, and nothing else is', () => {
    assert.ok(!(new copy.Refusal(403) instanceof Refusal), 'its class is another one');
    assert.ok(isRefusal(new copy.Refusal(403)));
    assert.ok(copy.isRefusal(new Refusal(403)));
    const lookalike = Object.assign(new Error('no'), { name: 'Refusal', status: 401, headers: {} });
    for (const value of [lookalike, null, undefined, 401, 'Refusal', {}]) {
      assert.equal(isRefusal(value), false);
    }
  });
});

describe('authenticationRefusal', () => {
  it('answers as the Refusal specifies', () => {
    const refusal = new Refusal(403, 'not you', { 'X-Why': 'banned' });
    const { cause, status, body, headers, error } = authenticationRefusal(refusal);
    assert.deepEqual(
      [cause, status, body, headers],
      ['refused', 403, 'not you', { 'X-Why': 'banned' }],
    );
    assert.equal(error, refusal);
    assert.equal(authenticationRefusal(new Refusal()).cause, 'unauthorized');
  });

  it('answers 500 to anything else, and hides the thrown error from the client', () => {
    const thrown = new Error('password of the database');
    const answer = authenticationRefusal(thrown);
    assert.deepEqual(
      [answer.cause, answer.status, answer.body],
      ['authenticate-error', 500, 'internal error'],
    );
    assert.equal(answer.error, thrown);
  });
});

describe('authenticationRefusal, given a Refusal that was modified', () => {
  const spoilt: [string, unknown, RegExp][] = [
    ['status', 200, /^status: must be a number from 400 to 599, not 200$/],
    ['message', { text: 'no' }, /^message: must be a string, not an object$/],
    ['headers', { 'X-A': 'b\r\nC: d' }, /^options\.headers\.X-A: is not a valid header value$/],
    ['close', 'yes', /^options\.close: must be a boolean, not a string$/],
  ];
  for (const [name, value, message] of spoilt) {
    it(`answers 500: ${name}`, () => {
      const refusal = Object.defineProperty(new Refusal(403, 'no'), name, { value });
      const { cause, status, body, headers, error } = authenticationRefusal(refusal);
      assert.deepEqual(
        [cause, status, body, headers],
        ['authenticate-error', 500, 'internal error', undefined],
      );
      assert.match(String(error?.message), message);
    });
  }
});

describe('the third argument of Refusal', () => {
  it('may be headers, or options that have headers', () => {
    const headers = { 'Retry-After': '9', Close: 'a header', 'x-headers': 'a header, too' };
    const plain = new Refusal(429, '', headers);
    assert.deepEqual([plain.headers, plain.close], [headers, undefined]);
    const full = new Refusal(429, '', { headers, close: true });
    assert.deepEqual([full.headers, full.close], [headers, true]);
    assert.deepEqual(new Refusal(429, '', { close: false }).headers, {});
  });

  it('refuses unknown options', () => {
    const told = complaint(401, '', { close: true, 'Retry-After': '9' });
    assert.equal(told, 'options.Retry-After: unknown option; known: headers, close');
    assert.equal(
      complaint(401, '', { close: true, header: {} }),
      'options.header: unknown option; did you mean headers?',
    );
  });

  it('is options whatever `close` or `headers` contains, and never a header of that name', () => {
    const close = 'options.close: must be a boolean, not a string';
    assert.equal(complaint(401, 'x', { close: 'yes' }), close);
    assert.equal(complaint(401, '', { headers: {}, close: 'yes' }), close);
    const headers = 'options.headers: must be an object of header values, not a string';
    assert.equal(complaint(401, '', { headers: 'yes' }), headers);
  });
});
