import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';

describe('C01 peer closes', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('C01: 1000 with a reason is echoed and reported as closed by the peer', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    peer.sendClose(1000, 'bye');
    await service.closedAs({
      states: [
        'handshaking.admitting',
        'handshaking.upgrading',
        'open',
        'closing.peer',
        'closing.reaping',
        'closed',
      ],
      code: 1000,
      reason: 'bye',
      origin: 'peer',
      layer: 'websocket',
      clean: true,
      cause: 'peer-close',
      level: 'info',
    });
    assert.deepEqual(peer.closeFrame, { code: 1000, reason: 'bye' });
  });

  it('A08: FIN during authenticate', async () => {
    service = await Service.start({ authenticate: () => new Promise(() => {}) });
    const peer = await RawPeer.connect(service.port);
    peer.request();
    peer.end();
    await service.failedAs({
      cause: 'abandoned',
      phase: 'tcp',
      level: 'info',
      states: ['handshaking.admitting', 'failed'],
    });
  });
});
