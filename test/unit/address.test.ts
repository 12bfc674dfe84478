import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressIn, isLoopback, networkOf } from '../../src/server/address.ts';

describe('addressIn', () => {
  const table: Record<string, readonly string[]> = {
    '192.0.2.1': [
      '192.0.2.1',
      ' 192.0.2.1 ',
      '192.0.2.1:5678',
      '::ffff:192.0.2.1',
      '::FFFF:192.0.2.1',
      '::ffff:c000:201',
      '0:0:0:0:0:ffff:c000:0201',
      '[::ffff:192.0.2.1]',
      '[::ffff:c000:201]:443',
    ],
    '2001:db8::1': [
      '2001:db8::1',
      '2001:DB8::1',
      '2001:0db8:0:0:0:0:0:1',
      '2001:db8:0::0:0001',
      '[2001:db8::1]',
      '[2001:db8::1]:5678',
      '2001:db8::1%eth0',
      '[2001:db8::1%25eth0]:80',
    ],
    '::1': ['::1', '[::1]', '0:0:0:0:0:0:0:1'],
    '::ffff:0:c000:201': ['::ffff:0:192.0.2.1'],
    '': [''],
  };
  for (const [address, spellings] of Object.entries(table)) {
    for (const spelling of spellings) {
      it(`reads ${address} in "${spelling}"`, () => assert.equal(addressIn(spelling), address));
    }
  }

  it('leaves anything that is not an address unchanged', () => {
    const texts = [
      'unknown',
      '_hidden',
      'host:80',
      '1.2.3',
      '1.2.3.4.5',
      '[::g]',
      ':',
      'a\r\nb: 1',
    ];
    for (const text of texts) assert.equal(addressIn(text), text);
  });
});

describe('networkOf', () => {
  it('returns an IPv4 address, and anything that is not an address, unchanged', () => {
    for (const text of ['192.0.2.1', 'unknown', 'host:80', '']) {
      assert.equal(networkOf(text, 64), text);
    }
  });

  const table: readonly [address: string, bits: number, network: string][] = [
    ['2001:db8:1:2:3:4:5:6', 64, '2001:db8:1:2/64'],
    ['2001:db8:1:2::', 64, '2001:db8:1:2/64'],
    ['2001:db8::1', 64, '2001:db8:0:0/64'],
    ['::1', 64, '0:0:0:0/64'],
    ['2001:db8:1:2ff::1', 56, '2001:db8:1:200/56'],
    ['2001:db8:1:2ff::1', 48, '2001:db8:1/48'],
    ['2001:db8::1', 128, '2001:db8:0:0:0:0:0:1/128'],
    ['2001:db8::2', 127, '2001:db8:0:0:0:0:0:2/127'],
    ['2001:db8::3', 127, '2001:db8:0:0:0:0:0:2/127'],
    ['ffff::', 1, '8000/1'],
  ];
  for (const [address, bits, network] of table) {
    it(`returns ${network} for ${address}`, () => assert.equal(networkOf(address, bits), network));
  }
});

describe('isLoopback', () => {
  it('recognizes the addresses of this machine', () => {
    for (const address of ['127.0.0.1', '127.8.9.1', '::1']) assert.ok(isLoopback(address));
    for (const address of ['192.0.2.1', '::2', '127.example', '', '10.0.0.1']) {
      assert.equal(isLoopback(address), false, address);
    }
  });
});
