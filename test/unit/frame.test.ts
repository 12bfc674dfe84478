import assert from 'node:assert/strict';
import type { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as ws from 'ws';
import { messageFrame } from '../../src/core/frame.ts';
import { StrictFrameReader } from '../support/frames.ts';

/** The part of ws that reads frames. The types of ws omit it. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable };

interface Message {
  payload: Buffer;
  isBinary: boolean;
}

/** What a client made of ws receives. */
function heardByWs(frame: Buffer): Message[] {
  const messages: Message[] = [];
  const receiver = new Receiver({ isServer: false });
  receiver.on('message', (payload: Buffer, isBinary: boolean) => {
    messages.push({ payload, isBinary });
  });
  receiver.on('error', (error) => assert.fail(error));
  receiver.write(frame);
  return messages;
}

function assertHeard(frame: Buffer, bytes: Buffer, isBinary: boolean): void {
  const [message, ...others] = heardByWs(frame);
  assert.ok(message?.payload.equals(bytes), 'the payload is unchanged');
  assert.deepEqual([message?.isBinary, others], [isBinary, []]);
}

/** Any character. fast-check's own unit for that takes a second to build. */
const character = fc.integer({ min: 0, max: 0x10_ffff - 0x800 }).map((index) => {
  return String.fromCodePoint(index < 0xd800 ? index : index + 0x800);
});

/** Lengths at which the header changes (RFC 6455 §5.2), and their neighbours. */
const lengths = [
  0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537, 70_000,
];

function headerBytes(length: number): number {
  if (length <= 125) return 2;
  return length <= 65_535 ? 4 : 10;
}

describe('messageFrame', () => {
  for (const length of lengths) {
    it(`frames ${length} bytes as ws reads them`, () => {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => index % 251));
      const frame = messageFrame(bytes);
      assert.equal(frame.length, headerBytes(length) + length);
      assertHeard(frame, bytes, true);
      const text = 'x'.repeat(length);
      const textFrame = messageFrame(text);
      assert.equal(textFrame.length, headerBytes(length) + length);
      assertHeard(textFrame, Buffer.from(text), false);
    });
  }

  it('counts the bytes of a text, not its characters', () => {
    for (const text of ['é', '€', '😀', '\u0000', '\ufeff', 'e\u0301', '\u{10ffff}']) {
      for (const times of [1, 41, 42, 62, 63, 125, 21_845, 21_846]) {
        const repeated = text.repeat(times);
        assertHeard(messageFrame(repeated), Buffer.from(repeated), false);
      }
    }
  });

  it('writes lone surrogates as the replacement character, so that the text stays UTF-8', () => {
    for (const text of ['\ud800', 'a\udc00b', '\udc00\ud800', '\ud83d'.repeat(100)]) {
      const [message] = heardByWs(messageFrame(text));
      assert.equal(message?.payload.toString(), text.toWellFormed());
    }
  });

  it('copies bytes, so that the caller may reuse them', () => {
    const bytes = Buffer.from('abc');
    const frame = messageFrame(bytes);
    bytes.fill(0);
    assert.equal(heardByWs(frame)[0]?.payload.toString(), 'abc');
  });

  it('sends only the part of a larger buffer that a view shows', () => {
    const view = new Uint8Array(Uint8Array.of(1, 2, 3, 4, 5).buffer, 1, 3);
    assert.deepEqual(heardByWs(messageFrame(view))[0]?.payload, Buffer.of(2, 3, 4));
  });

  it('makes what a strict reader accepts: unmasked, unfragmented, without reserved bits', () => {
    const reader = new StrictFrameReader();
    for (const length of lengths) reader.push(messageFrame('x'.repeat(length)));
    assert.deepEqual(
      reader.frames.map(({ fin, opcode, payload }) => [fin, opcode, payload.length]),
      lengths.map((length) => [true, 1, length]),
    );
  });

  it('makes frames that ws reads back unchanged, whatever the message', () => {
    const payloads = fc.oneof(
      fc.string({ unit: character, maxLength: 300 }),
      fc.uint8Array({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(payloads, (payload) => {
        const bytes = Buffer.from(payload as string);
        assertHeard(messageFrame(payload), bytes, typeof payload !== 'string');
      }),
      { numRuns: 300 },
    );
  });
});
