// Goal: a program in any language can compute the subject of a topic. Method: compare with the encodings that the guide
// describes, of Go and of Python.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { subjectOf } from '../../src/bus/nats/subject.ts';

/** `url.QueryEscape` of Go: a space becomes a plus, and all but the unreserved characters of RFC 3986 are encoded. */
function queryEscape(text: string): string {
  const encoded = [...Buffer.from(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    if (/[\w.~-]/.test(character)) return character;
    return character === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return encoded.join('');
}

describe('the NATS subject of a channel', () => {
  const subjects: Readonly<Record<string, string>> = {
    all: 'mooring.1.all',
    keys: 'mooring.1.keys',
    'live/room/1': 'mooring.1.live.room%2F1',
    'live/v1.2': 'mooring.1.live.v1%2E2',
    'live/*': 'mooring.1.live.%2A',
    'live/>': 'mooring.1.live.%3E',
    'live/user:7': 'mooring.1.live.user%3A7',
    'live/it’s (new)!': 'mooring.1.live.it%E2%80%99s%20%28new%29%21',
    "live/'~-_": 'mooring.1.live.%27~-_',
  };
  for (const [channel, subject] of Object.entries(subjects)) {
    it(`${channel} is ${subject}`, () => assert.equal(subjectOf('mooring', channel), subject));
  }

  it('begins with the name of the bus', () => {
    assert.equal(subjectOf('shop', 'live/room'), 'shop.1.live.room');
  });

  it('is the subject that the Go function of the guide returns, for every topic', () => {
    const topic = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(topic, (name) => {
        const token = queryEscape(name).replaceAll('+', '%20').replaceAll('.', '%2E');
        assert.equal(subjectOf('mooring', `live/${name}`), `mooring.1.live.${token}`);
      }),
    );
  });
});
