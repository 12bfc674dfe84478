// Goal: the right clocks run while Mooring itself has paused the reading. Method: real sockets, and short times.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

let service: Service;
afterEach(() => service.stop());

describe('a pause for the rate', () => {
  it('gives a peer that reads nothing no more time than stalledMs', async () => {
    service = await Service.start({
      timeouts: { stalledMs: 300, closeMs: 300 },
      limits: {
        messagesPerSecondMax: 20,
        messageBurstMax: 20,
        outboxHighBytes: 1_000,
        outboxLowBytes: 500,
      },
      onMessage: (connection) => void connection.send('x'.repeat(1_000_000)),
    });
    const peer = await RawPeer.open(service.port);
    peer.socket.pause();
    const connection = await service.opened();
    // The peer keeps sending, so that reading is paused nearly all the time.
    for (let n = 0; n < 1_000; n += 1) peer.json(n);
    await until(() => connection.flow === 'congested', 'its outbox is full');
    await service.closedAs({ cause: 'slow-consumer', level: 'warn' });
    assert.ok(service.messages.length < 1_000, 'it ended long before everything was read');
    peer.socket.destroy();
  });
});

describe('handlers at their limit of bytes', () => {
  it('never count as stalled while one settles now and then, although a large message keeps reading paused', async () => {
    const settle: (() => void)[] = [];
    service = await Service.start({
      timeouts: { pausedMs: 1_000 },
      limits: { inFlightBytesMax: 100 },
      onMessage: () => new Promise<void>((resolve) => settle.push(resolve)),
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    for (const length of [40, 40, 500, 1]) peer.json('x'.repeat(length));
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    assert.equal(settle.length, 3);
    for (const whenSettled of settle) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      whenSettled();
    }
    await until(() => settle.length === 4, 'reading continues');
    assert.equal(connection.state, 'open');
  });
});
