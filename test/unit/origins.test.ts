import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OriginList, originFault, originOf } from '../../src/server/request-headers.ts';

describe('originOf', () => {
  const table: Record<string, string | undefined> = {
    'https://app.example': 'https://app.example',
    'https://app.example/': 'https://app.example',
    'HTTPS://App.Example': 'https://app.example',
    'https://app.example:443': 'https://app.example',
    'http://app.example:80': 'http://app.example',
    'http://app.example:443': 'http://app.example:443',
    'https://app.example:08443': 'https://app.example:8443',
    'https://bücher.example': 'https://xn--bcher-kva.example',
    'http://[0:0:0:0:0:0:0:1]:3000': 'http://[::1]:3000',
    null: 'null',
    'file://': 'file://',
    'file:///': 'file://',
    'capacitor://localhost': 'capacitor://localhost',
    'Chrome-Extension://ABC': 'chrome-extension://abc',
    'https://app.example/chat': undefined,
    'https://app.example?x': undefined,
    'https://app.example#x': undefined,
    'https://app.example//': undefined,
    'https://me@app.example': undefined,
    'https://app.example, https://evil.example': undefined,
    'https://app.example\\evil': undefined,
    'https://': undefined,
    'https://app.example:99999': undefined,
    'app.example': undefined,
    '//app.example': undefined,
    'data:text/plain,x': undefined,
    '': undefined,
    NULL: undefined,
  };
  for (const [text, origin] of Object.entries(table)) {
    it(`reads "${text}"`, () => assert.equal(originOf(text), origin));
  }
});

describe('OriginList', () => {
  const list = new OriginList([
    'https://App.example/',
    'https://*.example.com',
    'http://*.example.com:8080',
    'null',
    'capacitor://localhost',
  ]);
  const inside = [
    'https://app.example',
    'https://APP.example:443',
    'https://a.example.com',
    'https://a.b.example.com',
    'https://A.EXAMPLE.com:443',
    'http://a.example.com:8080',
    'null',
    'capacitor://localhost',
  ];
  const outside = [
    'http://app.example',
    'https://app.example:8443',
    'https://sub.app.example',
    'https://example.com',
    'https://.example.com',
    'https://evilexample.com',
    'https://a.example.com.evil.example',
    'https://a.example.com:8443',
    'http://a.example.com',
    'https://evil.example/.example.com',
    'https://evil.example?.example.com',
    'https://evil.example#.example.com',
    'https://evil.example\\.example.com',
    'https://me:x@a.example.com',
    '',
    '*',
    'file://',
  ];
  for (const origin of inside) it(`has ${origin}`, () => assert.equal(list.has(origin), true));
  for (const origin of outside) it(`lacks ${origin}`, () => assert.equal(list.has(origin), false));

  it('has every origin with a star, and none without an entry', () => {
    for (const origin of ['https://evil.example', 'null', '', '%%%']) {
      assert.equal(new OriginList(['https://a.example', '*']).has(origin), true);
      assert.equal(new OriginList([]).has(origin), false);
    }
  });
});

describe('originFault', () => {
  it('accepts what a browser can send', () => {
    const sound = ['*', 'null', 'file://', 'capacitor://localhost', 'chrome-extension://abc'];
    const web = [
      'https://a.example',
      'HTTP://A.example:80/',
      'http://[::1]:3000',
      'http://1.2.3.4',
    ];
    for (const entry of [...sound, ...web, 'https://*.example.com', 'http://*.example.com:8080']) {
      assert.equal(originFault(entry), undefined, entry);
    }
  });

  const alone = 'must consist of scheme, host and port';
  const wildcard = "may have only one wildcard, for whole names, as in 'https://*.example.com'";
  const table: Record<string, string> = {
    'https://a.example/chat': `${alone}: write 'https://a.example'`,
    'https://a.example/?x': `${alone}: write 'https://a.example'`,
    'https://a.example?x': `${alone}: write 'https://a.example'`,
    'https://a.example#x': `${alone}: write 'https://a.example'`,
    'https://a.example//': `${alone}: write 'https://a.example'`,
    'file:///page.html': `${alone}: write 'file://'`,
    'a.example': "must begin with a scheme: write 'https://a.example'",
    'a.example:8443': "must begin with a scheme: write 'https://a.example:8443'",
    '*.example.com': "must begin with a scheme: write 'https://*.example.com'",
    '//a.example': 'must begin with a scheme',
    'data:x': 'must begin with a scheme',
    'wss://a.example': "must name the page, not the WebSocket: write 'https://a.example'",
    'WS://a.example/': "must name the page, not the WebSocket: write 'http://a.example/'",
    'https://me:secret@a.example': 'must have no user name',
    'https://*': wildcard,
    'https://*example.com': wildcard,
    'https://a.*.com': wildcard,
    'https://*.*.com': wildcard,
    'https://*.': wildcard,
    'http://localhost:*': wildcard,
    'https://': "must look like 'https://example.com'",
    'https://a b': "must look like 'https://example.com'",
    'https://a.example:99999': "must look like 'https://example.com'",
    same: "must stand alone, not in a list; use a function to combine 'same' with others",
    any: "must stand alone, not in a list; use a function to combine 'any' with others",
  };
  for (const [entry, fault] of Object.entries(table)) {
    it(`refuses "${entry}"`, () => assert.equal(originFault(entry), fault));
  }
});
