import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { violationFrame } from '../support/verdicts.ts';
import { type Violation, violations } from '../support/violations.ts';

const masking: readonly Violation[] = [
  ['unmasked client text frame', { opcode: opcode.text, payload: 'hi' }] as const,
  ['unmasked client close frame', { opcode: opcode.close, payload: closePayload(1000) }] as const,
].map(([title, spec]) => ({
  title,
  frames: [{ ...spec, masked: false }],
  error: 'WS_ERR_EXPECTED_MASK',
  sent: 1002,
}));

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

  for (const { title, frames, error, sent } of [...masking, ...violations]) {
    it(`E: ${title}: the peer gets ${sent}, the verdict says ${error}`, async () => {
      service = await Service.start({ onOpen: (connection) => connection.join('all') });
      const moments = watchErrors(service);
      const peer = await RawPeer.open(service.port);
      peer.socket.write(Buffer.concat(frames.map(buildFrame)));
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
        sent: violationFrame(sent),
        origin: 'local',
        layer: 'websocket',
        clean: false,
        cause: 'protocol-error',
        retry: 'never',
        level: 'error',
      });
      assert.equal((verdict.error as NodeJS.ErrnoException).code, error);
      assert.equal(verdict.level, 'error');
      assert.deepEqual(peer.closeFrame, violationFrame(sent));
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
