// Goal: creating a client refuses, by name, each connect option that Node.js would refuse in every attempt or that
// would end the process. Method: pass each option with a wrong value to a client and to a pool, and certificates that
// do not match their keys.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { type ConnectOptions, createClient, createPool } from '../../src/client/index.ts';
import { selfSigned } from '../support/certificate.ts';
import { clientPfx } from '../support/client-pfx.ts';

const url = 'ws://127.0.0.1:1/';
const mine = selfSigned('client.test');
const other = selfSigned('other.test');
const encrypted = createPrivateKey(mine.key).export({
  ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'sesame' },
} as const) as string;

/** What a client and a pool both report about connect options. */
function problemOf(connect: unknown): string {
  const problems = [
    () => createClient(url, { connect: connect as ConnectOptions }).close(),
    () => createPool([url], { connect: connect as ConnectOptions }).drain(),
  ].map((create) => {
    try {
      void create();
    } catch (thrown) {
      assert.equal((thrown as { code?: string }).code, 'invalid-options');
      return (thrown as Error).message;
    }
    return 'no error';
  });
  assert.equal(problems[0], problems[1]);
  return problems[0] ?? '';
}

const material = 'must be text or bytes, or a list of them';

const authorities = [
  Buffer.from('nonsense'),
  [mine.cert, Buffer.from('nonsense')],
  mine.cert.slice(0, 300),
  mine.cert + mine.cert.slice(0, 300),
  mine.cert.replace('M', '!'),
  mine.key,
];

const wrong: [connect: object, problem: string][] = [
  [{ lookup: 'dns' }, 'lookup: must be a function, not a string'],
  [{ createConnection: {} }, 'createConnection: must be a function, not an object'],
  [{ checkServerIdentity: 1 }, 'checkServerIdentity: must be a function, not 1'],
  [
    { agent: { dispatch() {} } },
    'agent: must be an agent, like those of node:http and node:https, not an object',
  ],
  [{ family: 5 }, 'family: must be 0, 4 or 6, not 5'],
  [{ family: 'IPv4' }, 'family: must be 0, 4 or 6, not a string'],
  [{ autoSelectFamily: 1 }, 'autoSelectFamily: must be a boolean, not 1'],
  [
    { autoSelectFamilyAttemptTimeout: 0 },
    'autoSelectFamilyAttemptTimeout: must be a whole number from 1 to 2147483647, not 0',
  ],
  [{ localAddress: 'localhost' }, 'localAddress: must be an IP address, not a string'],
  [{ servername: 5 }, 'servername: must be a string, not 5'],
  [{ passphrase: 5 }, 'passphrase: must be a string, not 5'],
  [{ rejectUnauthorized: 'no' }, 'rejectUnauthorized: must be a boolean, not a string'],
  [{ ciphers: [] }, 'ciphers: must be a string, not a list'],
  [
    { minVersion: 'TLSv1.4' },
    "minVersion: must be 'TLSv1', 'TLSv1.1', 'TLSv1.2' or 'TLSv1.3', not 'TLSv1.4'; did you mean 'TLSv1.1'?",
  ],
  [{ ca: 5 }, `ca: ${material}, not 5`],
  [{ cert: {} }, `cert: ${material}, not an object`],
  [{ key: [{}] }, `key: ${material}`],
  [{ pfx: true }, `pfx: ${material}, not true`],
  [{ localAdress: '::1' }, 'localAdress: unknown option; did you mean localAddress?'],
  [
    { rejectUnauthorised: false },
    'rejectUnauthorised: unknown option; did you mean rejectUnauthorized?',
  ],
  [{ closeMs: 5 }, 'closeMs: unknown option; did you mean timeouts.closeMs?'],
  [
    { agent: { addRequest() {} }, createConnection() {} },
    'createConnection: has no effect with an agent',
  ],
  [
    { ca: 'certificates/authority.pem' },
    'ca: cannot be used: it is not a complete certificate in PEM; pass the contents of the file, not its path',
  ],
  [{ cert: mine.cert }, 'cert: has no effect without connect.key'],
  [{ key: mine.key }, 'key: has no effect without connect.cert'],
  [{ cert: mine.cert, key: other.key }, 'key: cannot be used: it is not the key of connect.cert'],
  ...authorities.map((ca): [object, string] => [
    { ca },
    'ca: cannot be used: it is not a complete certificate in PEM',
  ]),
];

/** Faults that OpenSSL finds; its wording differs from version to version. */
const unusable: [title: string, connect: object, problem: RegExp][] = [
  ['a certificate that is not one', { cert: 'nonsense' }, /cert: cannot be used: /],
  ['a key that is not one', { key: 'nonsense' }, /key: cannot be used: /],
  ['a certificate in place of the key', { key: mine.cert }, /key: cannot be used: /],
  [
    'an encrypted key without its passphrase',
    { cert: mine.cert, key: encrypted },
    /key: cannot be used: .*; if it is encrypted, it needs connect\.passphrase$/,
  ],
  [
    'an encrypted key with a wrong passphrase',
    { cert: mine.cert, key: encrypted, passphrase: 'open' },
    /key: cannot be used: .*; check connect\.passphrase$/,
  ],
  [
    'the path of a key',
    { cert: mine.cert, key: 'certificates/client.key' },
    /key: cannot be used: .*; pass the contents of the file, not its path$/,
  ],
  ['a PKCS #12 that is not one', { pfx: 'nonsense' }, /pfx: cannot be used: /],
  [
    'a PKCS #12 without its passphrase',
    { pfx: clientPfx.pfx },
    /pfx: cannot be used: .*; if it is encrypted, it needs connect\.passphrase$/,
  ],
  ['unknown ciphers', { ciphers: 'NONE-OF-THEM' }, /ciphers: cannot be used: /],
];

describe('connect options', () => {
  for (const [connect, problem] of wrong) {
    it(`are refused: ${problem}`, () => {
      assert.equal(problemOf(connect), `options.connect.${problem}`);
    });
  }

  for (const [title, connect, problem] of unusable) {
    it(`are refused: ${title}`, () => {
      assert.match(problemOf(connect), new RegExp(`^options\\.connect\\.${problem.source}`));
    });
  }

  it('are refused when they are not an object', () => {
    assert.equal(problemOf(5), 'options.connect: must be an object, not 5');
    assert.equal(problemOf(null), 'options.connect: must be an object, not null');
  });

  it('never quote a secret', () => {
    for (const name of ['ca', 'cert', 'key', 'pfx', 'passphrase', 'ciphers', 'servername']) {
      for (const value of ['s3cret', ['s3cret'], { s3cret: 1 }]) {
        assert.doesNotMatch(problemOf({ [name]: value }), /s3cret/);
      }
    }
  });
});
