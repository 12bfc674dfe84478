import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as ws from 'ws';
import {
  type CloseClass,
  type CloseFrame,
  checkedCloseFrame,
  closeCodeInfo,
  closeCodes,
  type Level,
  type Retry,
} from '../../src/core/close-code.ts';

const yes = true;
const no = false;

type Row = [from: number, to: number, class_: CloseClass, sendable: boolean, Retry, Level];

/** The table in the docs: every code, in order and without a gap. */
const table: readonly Row[] = [
  [0, 999, 'invalid', no, 'backoff', 'error'],
  [1000, 1000, 'normal', yes, 'backoff', 'info'],
  [1001, 1001, 'normal', yes, 'backoff', 'info'],
  [1002, 1003, 'fault', yes, 'backoff', 'error'],
  [1004, 1004, 'invalid', no, 'backoff', 'error'],
  [1005, 1005, 'normal', no, 'backoff', 'info'],
  [1006, 1006, 'network', no, 'backoff', 'warn'],
  [1007, 1007, 'fault', yes, 'backoff', 'error'],
  [1008, 1008, 'policy', yes, 'backoff', 'warn'],
  [1009, 1010, 'fault', yes, 'backoff', 'error'],
  [1011, 1011, 'server-fault', yes, 'backoff', 'error'],
  [1012, 1012, 'transient', yes, 'backoff', 'info'],
  [1013, 1013, 'overload', yes, 'backoff', 'warn'],
  [1014, 1014, 'transient', yes, 'backoff', 'warn'],
  [1015, 1015, 'tls', no, 'backoff', 'error'],
  [1016, 2999, 'invalid', no, 'backoff', 'error'],
  [3000, 3000, 'auth', yes, 'slow', 'warn'],
  [3001, 3002, 'application', yes, 'backoff', 'info'],
  [3003, 3003, 'auth', yes, 'slow', 'warn'],
  [3004, 3007, 'application', yes, 'backoff', 'info'],
  [3008, 3008, 'transient', yes, 'backoff', 'warn'],
  [3009, 3999, 'application', yes, 'backoff', 'info'],
  [4000, 4408, 'application', yes, 'backoff', 'info'],
  [4409, 4409, 'application', yes, 'never', 'info'],
  [4410, 4999, 'application', yes, 'backoff', 'info'],
  [5000, 65_535, 'invalid', no, 'backoff', 'error'],
];

describe('closeCodeInfo', () => {
  it('describes every code as the table does', () => {
    let code = 0;
    for (const [from, to, class_, sendable, retry, level] of table) {
      assert.equal(from, code, 'the table has no gap');
      for (; code <= to; code += 1) {
        const { name, ...info } = closeCodeInfo(code);
        assert.deepEqual(info, { class: class_, sendable, retry, level }, String(code));
        assert.ok(name.length > 0);
      }
    }
  });

  it('calls a number that is not a code invalid', () => {
    for (const code of [
      -1,
      -1000,
      65_536,
      1e9,
      Number.NaN,
      Infinity,
      -Infinity,
      999.9,
      3000.5,
      3999.5,
    ]) {
      assert.equal(closeCodeInfo(code).class, 'invalid', String(code));
    }
  });

  it('returns rows that cannot be changed', () => {
    for (const info of [...closeCodes.values(), closeCodeInfo(3500), closeCodeInfo(7)]) {
      assert.ok(Object.isFrozen(info), info.name);
    }
  });
});

function refuses(code: unknown, reason: unknown): void {
  assert.throws(() => checkedCloseFrame(code, reason), {
    name: 'MooringError',
    code: 'invalid-close',
  });
}

/** Any character. fast-check's own unit for that takes a second to build. */
const character = fc.integer({ min: 0, max: 0x10_ffff - 0x800 }).map((index) => {
  return String.fromCodePoint(index < 0xd800 ? index : index + 0x800);
});

/** Whether a code is accepted; undefined if something other than the documented error is thrown. */
function isTaken(code: number): boolean | undefined {
  try {
    return checkedCloseFrame(code, '').code === code;
  } catch (thrown) {
    return (thrown as { code?: string }).code === 'invalid-close' ? false : undefined;
  }
}

describe('checkedCloseFrame', () => {
  it('accepts exactly the codes that ws can send, of all whole numbers from -10 to 70,000', () => {
    for (let code = -10; code <= 70_000; code += 1) {
      const { sendable } = closeCodeInfo(code);
      assert.equal(wsSends({ code, reason: '' }), sendable, `ws and ${code}`);
      assert.equal(isTaken(code), sendable, String(code));
    }
  });

  it('refuses a value that is not a whole number', () => {
    const numbers = [1000.5, 3000.000_1, 4999.5, Number.NaN, Infinity, -0.5];
    const others = ['1000', '', null, undefined, true, {}, [1000], 1000n, new Date(1000)];
    for (const code of [...numbers, ...others]) refuses(code, '');
  });

  it('refuses a reason that is not a string, whatever the code', () => {
    for (const reason of [null, undefined, 1000, {}, Buffer.from('bye'), ['bye'], true]) {
      refuses(1000, reason);
      refuses(999, reason);
    }
  });

  it('reports a code that cannot be printed', () => {
    refuses(Symbol('code'), '');
    refuses(Object.create(null), '');
  });

  it('leaves a reason of 123 bytes unchanged', () => {
    for (const reason of ['a'.repeat(123), `${'é'.repeat(61)}a`, '€'.repeat(41), '😀'.repeat(30)]) {
      assert.equal(checkedCloseFrame(1000, reason).reason, reason);
    }
  });

  it('cuts a longer reason before the code point that does not fit', () => {
    const cut = (reason: string) => checkedCloseFrame(1000, reason).reason;
    assert.equal(cut('a'.repeat(124)), 'a'.repeat(123));
    assert.equal(cut('é'.repeat(62)), 'é'.repeat(61));
    assert.equal(cut(`a${'é'.repeat(62)}`), `a${'é'.repeat(61)}`);
    assert.equal(cut('€'.repeat(42)), '€'.repeat(41));
    assert.equal(cut(`ab${'€'.repeat(42)}`), `ab${'€'.repeat(40)}`);
    assert.equal(cut(`${'a'.repeat(120)}😀`), 'a'.repeat(120));
    assert.equal(cut(`${'a'.repeat(119)}😀b`), `${'a'.repeat(119)}😀`);
  });

  it('writes lone surrogates as the replacement character', () => {
    const reason = (text: string) => checkedCloseFrame(4000, text).reason;
    assert.equal(reason('\ud800'), '\ufffd');
    assert.equal(reason('a\udc00b'), 'a\ufffdb');
    assert.equal(reason('\udc00\ud800'), '\ufffd\ufffd');
    assert.equal(reason(`${'a'.repeat(120)}\ud83d`), `${'a'.repeat(120)}\ufffd`);
    assert.equal(reason(`${'a'.repeat(121)}\ud83d`), 'a'.repeat(121));
  });

  it('never makes a reason that is longer than 123 bytes, ill-formed or unlike the text', () => {
    const text = fc.oneof(
      fc.string({ unit: character, maxLength: 140 }),
      fc.string({ unit: 'grapheme', maxLength: 140 }),
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 140 })
        .map((units) => String.fromCharCode(...units)),
    );
    fc.assert(
      fc.property(text, (given) => {
        const { reason } = checkedCloseFrame(1000, given);
        const bytes = Buffer.byteLength(reason);
        assert.ok(bytes <= 123, `${bytes} bytes`);
        assert.ok(reason.isWellFormed());
        assert.ok(given.toWellFormed().startsWith(reason));
        assert.ok(wsSends({ code: 1000, reason }));
        const [next = ''] = given.toWellFormed().slice(reason.length);
        const whole = reason.length === given.length;
        assert.ok(whole || bytes + Buffer.byteLength(next) > 123 || bytes > 119, 'cut too early');
      }),
      { numRuns: 400 },
    );
  });
});

/** The part of ws that writes close frames. The types of ws omit it. */
interface WsSender {
  close(code: unknown, reason: string, mask: boolean, sent: () => void): void;
}
const { Sender } = ws as unknown as { Sender: new (socket: Writable) => WsSender };
const nowhere = new Writable({ write: (_chunk, _encoding, written) => written() });

function wsSends({ code, reason }: CloseFrame): boolean {
  try {
    new Sender(nowhere).close(code, reason, false, () => {});
    return true;
  } catch {
    return false;
  }
}

describe('ws, given a close frame that Mooring refuses', () => {
  it('refuses it too, and stays open', async (t) => {
    const server = new ws.WebSocketServer({ port: 0 });
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const socket = new ws.WebSocket(`ws://127.0.0.1:${port}`);
    t.after(() => socket.terminate());
    await new Promise((resolve) => socket.once('open', resolve));
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535]) {
      assert.throws(() => socket.close(code), String(code));
      assert.equal(socket.readyState, socket.OPEN);
    }
    assert.throws(() => socket.close(1000, 'a'.repeat(124)), RangeError);
    socket.close(1000, checkedCloseFrame(1000, 'a'.repeat(124)).reason);
    await new Promise((resolve) => socket.once('close', resolve));
  });
});
