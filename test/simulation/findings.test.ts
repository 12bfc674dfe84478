import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SupervisorOptions, systemClock } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

// Goal: the findings of the simulation also hold on real sockets. Method: the smallest script of each finding.

describe('a supervisor on real sockets', () => {
  async function serve(
    options: SupervisorOptions<unknown, unknown, unknown>,
    run: (service: Service) => Promise<void>,
  ): Promise<void> {
    const service = await Service.start(options);
    try {
      await run(service);
    } finally {
      await service.supervisor.drain({ withinMs: 100 });
      service.server.close();
    }
  }

  it('never reports a close frame whose write failed at once', async () => {
    await serve({}, async (service) => {
      const peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      // The reset has reached the kernel. Nothing here has read it yet.
      peer.reset();
      connection.close(4000, 'too late');
      const { verdict } = await service.when('connection.closed');
      assert.equal(verdict.cause, 'close');
      assert.equal(verdict.code, 1006);
      assert.equal((verdict.error as NodeJS.ErrnoException).code, 'ECONNRESET');
      assert.equal(verdict.sent, undefined);
    });
  });

  it('fails a connection that crashes while it opens, and reports no end without a beginning', async () => {
    // Reading the time is the last step before it is open.
    const wallNow = () => {
      const [, , caller = ''] = new Error('who asks').stack?.split('\n') ?? [];
      if (caller.includes('announceOpen')) throw new Error('no time');
      return systemClock.wallNow();
    };
    await serve({ clock: { ...systemClock, wallNow } }, async (service) => {
      const peer = await RawPeer.open(service.port);
      const { failure } = await service.when('connection.failed');
      assert.equal(failure.cause, 'crash');
      assert.equal(failure.error?.message, 'no time');
      await until(() => peer.closed, 'the peer is released');
      assert.deepEqual(service.calls, ['onFailed']);
      assert.equal(service.of('connection.opened').length, 0);
      assert.equal(service.of('connection.closed').length, 0);
      assert.equal(service.of('handler.errored').length, 0);
    });
  });
});
