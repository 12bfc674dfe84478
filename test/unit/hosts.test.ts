import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HostList, hostFault, hostOf } from '../../src/server/request-headers.ts';

describe('hostOf', () => {
  const table: Record<string, [name: string, port: string] | undefined> = {
    'example.com': ['example.com', ''],
    'EXAMPLE.com:8080': ['example.com', '8080'],
    'example.com:80': ['example.com', '80'],
    'example.com:0443': ['example.com', '443'],
    'bücher.example': ['xn--bcher-kva.example', ''],
    '[0:0:0:0:0:0:0:1]:3000': ['[::1]', '3000'],
    'example.com.': ['example.com.', ''],
    '': undefined,
    '::1': undefined,
    'example.com/': undefined,
    'example.com@evil.example': undefined,
    'example.com?x': undefined,
    'example.com#x': undefined,
    'example.com\\x': undefined,
    'exa mple.com': undefined,
    'exa\tmple.com': undefined,
    'example.com:99999': undefined,
    'example.com:http': undefined,
  };
  for (const [text, host] of Object.entries(table)) {
    it(`reads "${text}"`, () => {
      const read = hostOf(text);
      assert.deepEqual(read && [read.name, read.port], host);
    });
  }
});

describe('HostList', () => {
  const list = new HostList([
    'Example.com',
    'api.example.com:8443',
    'secure.example:443',
    'plain.example:80',
    '*.example.org',
    '*.example.net:8080',
    '[0::1]',
  ]);
  const inside = [
    'example.com',
    'EXAMPLE.COM:9',
    'api.example.com:8443',
    'secure.example:443',
    'secure.example',
    'plain.example',
    'a.example.org',
    'a.b.example.org:99',
    'a.example.net:8080',
    '[::1]:3000',
  ];
  const outside = [
    'www.example.com',
    'api.example.com',
    'api.example.com:443',
    'secure.example:80',
    'example.org',
    'evilexample.org',
    'a.example.org.evil.example',
    'a.example.net',
    'a.example.net:80',
    '[::2]',
    'example.com/',
    'me@example.com',
    '',
  ];
  for (const host of inside)
    it(`contains ${host}`, () => assert.equal(list.has(host, false), true));
  for (const host of outside) it(`lacks ${host}`, () => assert.equal(list.has(host, false), false));

  it('infers an omitted port where TLS ends here', () => {
    assert.equal(list.has('secure.example', true), true);
    assert.equal(list.has('plain.example', true), false);
  });

  it('contains every host with a star, and none without an entry', () => {
    assert.equal(new HostList(['*']).has('what?ever', false), true);
    assert.equal(new HostList([]).has('example.com', false), false);
  });
});

describe('hostFault', () => {
  it('accepts what a browser can send', () => {
    const sound = ['*', 'localhost', 'Example.com:80', '[::1]', '[::1]:3000', '127.0.0.1:3000'];
    for (const entry of [...sound, '*.example.com', '*.example.com:8443', 'bücher.example']) {
      assert.equal(hostFault(entry), undefined, entry);
    }
  });

  const expected = 'must consist of a name, or a name and a port';
  const wildcard = "may have only one wildcard, for whole names, as in '*.example.com'";
  const table: Record<string, string> = {
    'https://example.com': `${expected}: write 'example.com'`,
    'wss://example.com:8443/ws': `${expected}: write 'example.com:8443'`,
    'example.com/': `${expected}: write 'example.com'`,
    'example.com/ws': `${expected}: write 'example.com'`,
    'example.com?x': `${expected}: write 'example.com'`,
    '::1': `${expected}: write '[::1]'`,
    'example.com:99999': expected,
    'example.com:*': wildcard,
    'exa mple.com': expected,
    'me@example.com': 'must have no user name',
    '*example.com': wildcard,
    'a.*.com': wildcard,
    '*.': wildcard,
  };
  for (const [entry, fault] of Object.entries(table)) {
    it(`refuses "${entry}"`, () => assert.equal(hostFault(entry), fault));
  }
});
