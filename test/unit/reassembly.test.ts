import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { buildFrame, type FrameSpec, opcode } from '../support/frames.ts';
import { Receiving, Reception } from '../support/receiving.ts';
import { turns } from '../support/until.ts';

const { text, continuation, ping, pong } = opcode;

const frames = (...specs: readonly FrameSpec[]) => Buffer.concat(specs.map(buildFrame));
const whole = (payload: string) => frames({ opcode: text, payload });
const first = (payload: string) => frames({ opcode: text, payload, fin: false });
const more = (payload: string, fin = false) => frames({ opcode: continuation, payload, fin });

/** Delivers bytes in pieces of this length. */
function drip(line: Receiving, bytes: Buffer, length = 1): void {
  for (let at = 0; at < bytes.length; at += length) line.read(bytes.subarray(at, at + length));
}

describe('a message in pieces', () => {
  it('arrives as it was sent, however it is cut, and holds no memory afterwards', () => {
    const message = fc.record({
      payload: fc.string({ unit: 'grapheme', maxLength: 3_000 }),
      fragment: fc.integer({ min: 1, max: 500 }),
      hasPing: fc.boolean(),
    });
    const cuts = fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, lengths) => {
        const line = new Receiving(
          new Reception({ fragmentsMax: 100_000, bufferedChunksMax: 100_000 }),
        );
        const bytes = Buffer.concat(messages.flatMap(framesOf));
        let [at, read] = [0, 0];
        while (at < bytes.length) {
          const length = lengths[read % lengths.length] ?? 1;
          line.read(bytes.subarray(at, at + length));
          at += length;
          read += 1;
        }
        assert.deepEqual(
          line.messages,
          messages.map(({ payload }) => payload),
        );
        assert.deepEqual(
          [line.heldBytes, line.unfinished.bytes, line.socket.reassembly],
          [0, 0, null],
        );
      }),
      { numRuns: 60 },
    );
  });

  function framesOf({
    payload,
    fragment,
    hasPing,
  }: {
    payload: string;
    fragment: number;
    hasPing: boolean;
  }): Buffer[] {
    const bytes = Buffer.from(payload);
    const parts: Buffer[] = [];
    for (let at = 0; at === 0 || at < bytes.length; at += fragment) {
      const isLast = at + fragment >= bytes.length;
      parts.push(
        buildFrame({
          opcode: at === 0 ? text : continuation,
          payload: bytes.subarray(at, at + fragment),
          fin: isLast,
        }),
      );
      if (hasPing) parts.push(buildFrame({ opcode: ping, payload: 'there?' }));
    }
    return parts;
  }

  const drips: Readonly<Record<string, Buffer>> = {
    'a frame of 2,048 bytes': whole('x'.repeat(2_048)).subarray(0, -1),
    'a header alone': whole('x'.repeat(200)).subarray(0, 7),
    'fragments of one byte': Buffer.concat([first('1'), ...new Array(600).fill(more('2'))]),
    'fragments of 700 bytes': Buffer.concat([
      first('1'),
      ...new Array(30).fill(more('2'.repeat(700))),
    ]),
  };
  for (const [what, bytes] of Object.entries(drips)) {
    it(`holds at most twice the received bytes plus 16 KiB: ${what}, byte by byte`, () => {
      const line = new Receiving(new Reception({ bufferedChunksMax: 100_000 }));
      let received = 0;
      for (const byte of bytes) {
        line.read(Buffer.of(byte));
        received += 1;
        assert.ok(line.heldBytes <= 2 * received + 16_384, `${line.heldBytes} for ${received}`);
      }
      assert.ok(line.heldBytes > 0);
    });
  }

  const rests: Readonly<Record<string, Buffer>> = {
    'one byte of a header': whole('x').subarray(0, 1),
    'a header without its mask': whole('x').subarray(0, 2),
    'a header with its mask': whole('x').subarray(0, 6),
    'one byte of a payload': whole('xx').subarray(0, 7),
    'one fragment of a byte': first('x'),
    'thirty fragments of a byte': Buffer.concat([first('x'), ...new Array(29).fill(more('y'))]),
  };
  for (const [what, rest] of Object.entries(rests)) {
    it(`keeps no read of 64 KiB alive for ${what}`, () => {
      const line = new Receiving(new Reception());
      const before = whole('x'.repeat(65_536 - 14 - rest.length));
      line.read(Buffer.concat([before, rest]));
      assert.equal(line.messages.length, 1);
      assert.ok(line.socket.reassembly);
      assert.ok(line.heldBytes < 4_096, `${line.heldBytes} bytes are held`);
    });
  }

  it('releases a read that contained whole messages only', () => {
    const line = new Receiving(new Reception());
    line.read(Buffer.concat([whole('one'), whole('two')]));
    assert.deepEqual(line.messages, ['one', 'two']);
    assert.deepEqual([line.socket.reassembly, line.heldBytes], [null, 0]);
  });
});

describe('the chunks of a message', () => {
  it('are counted for each incomplete frame, including the joined ones', async () => {
    const line = new Receiving(new Reception({ bufferedChunksMax: 50 }));
    const frame = whole('x'.repeat(50));
    for (let n = 0; n < 3; n += 1) drip(line, frame);
    assert.equal(line.messages.length, 3);
    drip(line, whole('x'.repeat(51)).subarray(0, -1));
    assert.deepEqual(line.violations, []);
    line.read(Buffer.of(0));
    assert.deepEqual([line.messages.length, line.heldBytes], [3, 0]);
    await turns();
    assert.deepEqual(line.violations, [1008]);
    assert.match(line.reasons.join(), /^message in over \d+ chunks \(limits\.bufferedChunksMax\)$/);
  });
});

describe('the time of a message', () => {
  const refusal = {
    cause: 'message-timeout',
    code: 1008,
    problem: 'message not complete within 60000 ms (timeouts.messageMs)',
  };

  function lineAt(): { line: Receiving; wait: (ms: number) => void } {
    const reception = new Reception();
    return { line: new Receiving(reception), wait: (ms) => reception.clock.advance(ms) };
  }

  it('is never extended by a byte every five seconds', () => {
    const { line, wait } = lineAt();
    const bytes = whole('x'.repeat(100));
    for (let at = 0; at < 12; at += 1) {
      line.read(bytes.subarray(at, at + 1));
      assert.deepEqual(line.refusals, []);
      wait(5_000);
    }
    wait(200);
    assert.deepEqual(line.refusals, [refusal]);
  });

  it('is never extended by pongs, pings or empty fragments', () => {
    const { line, wait } = lineAt();
    line.read(first('x'));
    for (let n = 0; n < 11; n += 1) {
      wait(5_000);
      line.read(frames({ opcode: pong }, { opcode: ping }));
      line.read(more(''));
    }
    assert.deepEqual(line.refusals, []);
    wait(5_200);
    assert.deepEqual(line.refusals, [refusal]);
  });

  it('begins with each message, even when one read ends one message and begins the next', () => {
    const { line, wait } = lineAt();
    const bytes = whole('x'.repeat(100));
    line.read(bytes.subarray(0, 50));
    for (let n = 0; n < 5; n += 1) {
      wait(50_000);
      line.read(Buffer.concat([bytes.subarray(50), bytes.subarray(0, 50)]));
    }
    assert.deepEqual([line.messages.length, line.refusals], [5, []]);
    wait(60_200);
    assert.deepEqual(line.refusals, [refusal]);
  });

  it('begins with each control frame between messages', () => {
    const { line, wait } = lineAt();
    const bytes = frames({ opcode: ping, payload: 'there?' });
    line.read(bytes.subarray(0, 3));
    for (let n = 0; n < 5; n += 1) {
      wait(50_000);
      line.read(Buffer.concat([bytes.subarray(3), bytes.subarray(0, 3)]));
    }
    assert.deepEqual(line.refusals, []);
  });

  it('stops while reading is paused', () => {
    const { line, wait } = lineAt();
    line.read(first('x'));
    wait(50_000);
    line.socket.pause();
    line.socket.pause();
    wait(1_000_000);
    line.socket.resume();
    wait(9_000);
    assert.deepEqual(line.refusals, []);
    wait(1_500);
    assert.deepEqual(line.refusals, [refusal]);
  });

  it('never begins while reading is paused', () => {
    const { line, wait } = lineAt();
    line.socket.pause();
    line.read(first('x'));
    wait(1_000_000);
    line.socket.resume();
    wait(59_000);
    assert.deepEqual(line.refusals, []);
    wait(1_500);
    assert.deepEqual(line.refusals, [refusal]);
  });

  it('ends with the connection', () => {
    const { line, wait } = lineAt();
    line.read(first('x'));
    line.socket.release();
    wait(100_000);
    assert.deepEqual([line.refusals, line.unfinished.bytes], [[], 0]);
  });
});

describe('a message that is refused', () => {
  it('is released at once, nothing more is delivered, and TCP ends', () => {
    const reception = new Reception();
    const line = new Receiving(reception);
    line.read(
      Buffer.concat([first('x'.repeat(10_000)), more('y'.repeat(10_000)).subarray(0, 5_000)]),
    );
    assert.equal(line.unfinished.bytes > 14_000, true);
    reception.clock.advance(60_200);
    assert.deepEqual([line.refusals.length, line.heldBytes, line.unfinished.bytes], [1, 0, 0]);
    line.read(
      Buffer.concat([more('y'.repeat(10_000)).subarray(5_000), more('', true), whole('z')]),
    );
    assert.deepEqual([line.messages, line.heldBytes, line.refusals.length], [[], 0, 1]);
    assert.ok(line.raw.writableEnded);
  });
});

describe('the total of unfinished messages', () => {
  it('is kept by ending connections, the oldest message first, and no more than necessary', () => {
    const reception = new Reception({ bytesMax: 10_000 });
    const lines = Array.from({ length: 4 }, () => new Receiving(reception));
    const [one, two, three, four] = lines as [Receiving, Receiving, Receiving, Receiving];
    const part = first('x'.repeat(4_000));
    one.read(part);
    two.read(part);
    // The first connection begins another message, so the second has the oldest one now.
    one.read(Buffer.concat([more('', true), part]));
    three.read(part);
    const problem = 'incomplete messages over 10000 bytes (admission.unfinishedBytesMax)';
    const told = () => lines.map(({ refusals }) => refusals);
    assert.deepEqual(told(), [[], [{ cause: 'overload', code: 1013, problem }], [], []]);
    assert.equal(reception.unfinished.bytes, 8_000);
    three.read(more('', true));
    four.read(part);
    assert.deepEqual(told().flat().length, 1);
    assert.deepEqual([one.messages.length, three.messages.length], [1, 1]);
  });

  it('is kept by ending a connection whose message alone exceeds it', () => {
    const reception = new Reception({ bytesMax: 10_000 });
    const line = new Receiving(reception);
    line.read(whole('x'.repeat(20_000)).subarray(0, 15_000));
    assert.deepEqual([line.refusals.length, reception.unfinished.bytes], [1, 0]);
  });
});
