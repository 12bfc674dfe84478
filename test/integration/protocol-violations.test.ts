import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';

interface Violation {
  readonly title: string;
  readonly bytes: Buffer;
  /** What ws calls it, and the close code that the peer gets. */
  readonly error: string;
  readonly sent: number;
}

const invalidUtf8 = Buffer.from([0x63, 0xc3, 0x28]);
const euro = Buffer.from('€');

const masking: Violation[] = [
  {
    title: 'unmasked client text frame',
    bytes: buildFrame({ opcode: opcode.text, payload: 'hi', masked: false }),
    error: 'WS_ERR_EXPECTED_MASK',
    sent: 1002,
  },
  {
    title: 'unmasked client close frame',
    bytes: buildFrame({ opcode: opcode.close, payload: closePayload(1000), masked: false }),
    error: 'WS_ERR_EXPECTED_MASK',
    sent: 1002,
  },
];

const reservedBits: Violation[] = [
  ['RSV1 on text', opcode.text, 4, 'WS_ERR_UNEXPECTED_RSV_1'] as const,
  ['RSV1 on a ping', opcode.ping, 4, 'WS_ERR_UNEXPECTED_RSV_1'] as const,
  ['RSV1 on a close frame', opcode.close, 4, 'WS_ERR_UNEXPECTED_RSV_1'] as const,
  ['RSV2', opcode.text, 2, 'WS_ERR_UNEXPECTED_RSV_2_3'] as const,
  ['RSV3', opcode.binary, 1, 'WS_ERR_UNEXPECTED_RSV_2_3'] as const,
  ['all of RSV', opcode.text, 7, 'WS_ERR_UNEXPECTED_RSV_2_3'] as const,
].map(([title, code, rsv, error]) => ({
  title,
  bytes: buildFrame({ opcode: code, rsv, payload: '' }),
  error,
  sent: 1002,
}));

const controls: Violation[] = (['ping', 'pong', 'close'] as const).flatMap((name) => [
  {
    title: `fragmented ${name}`,
    bytes: buildFrame({ opcode: opcode[name], fin: false }),
    error: 'WS_ERR_EXPECTED_FIN',
    sent: 1002,
  },
  {
    title: `${name} of 126 B`,
    bytes: buildFrame({ opcode: opcode[name], payload: Buffer.alloc(126, 0x61) }),
    error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    sent: 1002,
  },
]);

const opcodes: Violation[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((code) => ({
  title: `opcode ${code.toString(16).toUpperCase()}`,
  bytes: buildFrame({ opcode: code, payload: 'hi' }),
  error: 'WS_ERR_INVALID_OPCODE',
  sent: 1002,
}));

const fragments: Violation[] = [
  {
    title: 'stray continuation',
    bytes: buildFrame({ opcode: opcode.continuation, payload: 'hi' }),
    error: 'WS_ERR_INVALID_OPCODE',
    sent: 1002,
  },
  {
    title: 'new text within a fragmented message',
    bytes: Buffer.concat([
      buildFrame({ opcode: opcode.text, payload: 'one', fin: false }),
      buildFrame({ opcode: opcode.text, payload: 'two' }),
    ]),
    error: 'WS_ERR_INVALID_OPCODE',
    sent: 1002,
  },
  {
    title: 'new binary within a fragmented message',
    bytes: Buffer.concat([
      buildFrame({ opcode: opcode.text, payload: 'one', fin: false }),
      buildFrame({ opcode: opcode.binary, payload: 'two', fin: false }),
    ]),
    error: 'WS_ERR_INVALID_OPCODE',
    sent: 1002,
  },
];

const closeCodes: Violation[] = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
  (code) => ({
    title: `bad close code ${code}`,
    bytes: buildFrame({ opcode: opcode.close, payload: closePayload(code, 'why') }),
    error: 'WS_ERR_INVALID_CLOSE_CODE',
    sent: 1002,
  }),
);

const texts: Violation[] = [
  { title: 'invalid UTF-8', bytes: buildFrame({ opcode: opcode.text, payload: invalidUtf8 }) },
  {
    title: 'a lone surrogate in UTF-8',
    bytes: buildFrame({ opcode: opcode.text, payload: Buffer.from([0xed, 0xa0, 0x80]) }),
  },
  {
    title: 'invalid UTF-8 split over two fragments',
    bytes: Buffer.concat([
      buildFrame({ opcode: opcode.text, payload: invalidUtf8.subarray(0, 2), fin: false }),
      buildFrame({ opcode: opcode.continuation, payload: invalidUtf8.subarray(2) }),
    ]),
  },
  {
    title: 'a character that the last fragment leaves unfinished',
    bytes: Buffer.concat([
      buildFrame({ opcode: opcode.text, payload: 'price: ', fin: false }),
      buildFrame({ opcode: opcode.continuation, payload: euro.subarray(0, 2) }),
    ]),
  },
  {
    title: 'invalid UTF-8 in a close reason',
    bytes: buildFrame({ opcode: opcode.close, payload: closePayload(1000, invalidUtf8) }),
  },
].map((text) => ({ ...text, error: 'WS_ERR_INVALID_UTF8', sent: 1007 }));

const oneByteClose: Violation = {
  title: 'close payload of one byte',
  bytes: buildFrame({ opcode: opcode.close, payload: Buffer.from([3]) }),
  error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
  sent: 1002,
};

const violations: readonly Violation[] = [
  ...masking,
  ...reservedBits,
  ...controls,
  ...opcodes,
  ...fragments,
  ...closeCodes,
  ...texts,
  oneByteClose,
];

/** What can be seen of a connection at the moment its error is told. */
interface Moment {
  known: boolean;
  state: string;
  open: number;
  counts: { open: number; errored: number };
  members: number;
  sent: string;
  delivered: number;
}

function watchErrors({ supervisor }: Service): Moment[] {
  const moments: Moment[] = [];
  supervisor.events$.subscribe((event) => {
    if (event.type !== 'connection.errored') return;
    const { connection } = event;
    const { open, errored } = supervisor.counts;
    moments.push({
      known: supervisor.get(connection.id) !== undefined,
      state: connection.state,
      open: [...supervisor.connections].length,
      counts: { open, errored },
      members: supervisor.topic('all').size,
      sent: connection.send('late'),
      delivered: supervisor.broadcast('late').delivered,
    });
  });
  return moments;
}

const quarantined: Moment = {
  known: false,
  state: 'errored',
  open: 0,
  counts: { open: 0, errored: 1 },
  members: 0,
  sent: 'refused',
  delivered: 0,
};

describe('E: protocol violations', () => {
  let service: Service;
  afterEach(() => service.stop());

  for (const { title, bytes, error, sent } of violations) {
    it(`E: ${title}: the peer gets ${sent}, the verdict says ${error}`, async () => {
      service = await Service.start({ onOpen: (connection) => connection.join('all') });
      const moments = watchErrors(service);
      const peer = await RawPeer.open(service.port);
      peer.socket.write(bytes);
      const verdict = await service.closedAs({
        states: [
          'handshaking.admitting',
          'handshaking.upgrading',
          'open',
          'errored',
          'closing.reaping',
          'closed',
        ],
        code: 1006,
        reason: '',
        sent: { code: sent, reason: '' },
        origin: 'local',
        layer: 'websocket',
        clean: false,
        cause: 'protocol-error',
        retry: 'never',
        level: 'error',
      });
      assert.equal((verdict.error as NodeJS.ErrnoException).code, error);
      assert.equal(verdict.level, 'error');
      assert.deepEqual(peer.closeFrame, { code: sent, reason: '' });
      assert.deepEqual(moments, [quarantined]);
      assertErroredOnce(service);
      assert.deepEqual(service.messages, []);
    });
  }
});

function assertErroredOnce(service: Service): void {
  const [told, ...more] = service.of('connection.errored');
  assert.equal(told?.cause, 'protocol-error');
  assert.deepEqual(more, []);
  const line = service.logLines().find(({ fields }) => fields['event'] === 'connection.errored');
  assert.equal(line?.level, 'warn');
}
