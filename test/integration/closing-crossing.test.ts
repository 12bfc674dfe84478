// Goal: a close frame of the peer that comes after ours is told from one that crosses it, as far as that can be known.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { closedByHandshake, handshake, closingTimeouts as timeouts } from '../support/closings.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';
import { faultless } from '../support/verdicts.ts';

let service: Service;
let peer: RawPeer;
let connection: Connection<unknown, unknown, unknown>;

async function connect(options: SupervisorOptions<unknown, unknown, unknown> = {}): Promise<void> {
  service = await Service.start({ timeouts, ...options });
  peer = await RawPeer.open(service.port);
  connection = await service.opened();
}

async function release(): Promise<void> {
  peer.destroy();
  await service.stop();
}

function sent(code: number, reason = '') {
  return { code, reason };
}

/** The peer closes in the packet of a message that makes this side close. */
async function cross(ours: readonly [number, string?], theirs: readonly [number, string?]) {
  await connect({ onMessage: (side) => void side.close(...ours) });
  const message = { opcode: opcode.text, payload: '"close"' };
  const close = { opcode: opcode.close, payload: closePayload(...theirs) };
  peer.socket.write(Buffer.concat([message, close].map(buildFrame)));
}

describe('C06 both sides close at once', () => {
  afterEach(release);

  it("C06: ours is 4001, the peer's 4002: the code is the peer's, sent is ours", async () => {
    await cross([4001, 'ours'], [4002, 'theirs']);
    await service.closedAs({
      states: closedByHandshake,
      ...handshake,
      code: 4002,
      reason: 'theirs',
      sent: sent(4001, 'ours'),
      simultaneous: true,
      retry: 'backoff',
    });
    assert.deepEqual(peer.closeFrame, sent(4001, 'ours'));
    assert.equal(service.of('connection.closing').length, 1);
  });

  it("C06: a fault code of the peer's that crosses ours does not raise the level", async () => {
    await cross([1000], [1011, 'broken']);
    await service.closedAs({
      ...handshake,
      code: 1011,
      reason: 'broken',
      sent: sent(1000),
      simultaneous: true,
    });
  });

  it('C06: frames that cross on the network look like an answer', async () => {
    await connect();
    connection.close(4001, 'ours');
    peer.sendClose(4002, 'theirs');
    const said = { code: 4002, reason: 'theirs', sent: sent(4001, 'ours') };
    await service.closedAs({ ...handshake, ...said });
  });
});

describe('C06c the peer answers our close frame with a code of its own', () => {
  afterEach(release);

  for (const code of [1000, 1002, 1008, 4321]) {
    it(`C06c: ${code} for 1001: an answer, and what to do follows from ours`, async () => {
      await connect();
      connection.close(1001, 'going');
      await until(() => peer.closeFrame !== undefined, 'our close frame arrives');
      peer.sendClose(code, 'as you like');
      await service.closedAs({
        states: closedByHandshake,
        ...handshake,
        ...faultless,
        code,
        reason: 'as you like',
        sent: sent(1001, 'going'),
        retry: 'backoff',
        level: 'info',
      });
    });
  }

  it('C06c: none for 1000: what to do follows from ours', async () => {
    await connect();
    connection.close(1000);
    await until(() => peer.closeFrame !== undefined, 'our close frame arrives');
    peer.sendClose();
    const said = { code: 1005, reason: '', sent: sent(1000), retry: 'never' } as const;
    await service.closedAs({ ...handshake, ...faultless, ...said });
  });

  it('C06c: one that comes while ours waits behind a backlog is no answer', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 60_000 } });
    peer.pause();
    await fillBacklog(connection, 200_000);
    connection.close(4001, 'ours');
    await turns(20);
    peer.sendClose(4002, 'theirs');
    await until(() => service.states.includes('closing.local'), 'it is closing');
    await turns(20);
    peer.socket.resume();
    await service.closedAs({
      ...handshake,
      code: 4002,
      reason: 'theirs',
      sent: sent(4001, 'ours'),
      simultaneous: true,
    });
  });
});
