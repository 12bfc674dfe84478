import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { UnservedUpgrade } from '../../src/server/unserved.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

/** A socket that nobody has touched, and what became of it. */
class Bench {
  readonly clock = new VirtualClock();
  readonly request = { url: '/nobody' } as IncomingMessage;
  readonly socket = Object.assign(new PassThrough(), { bytesWritten: 0 });
  refusals = 0;
  readonly upgrade = new UnservedUpgrade(
    { request: this.request, socket: this.socket as unknown as Socket, head: Buffer.alloc(0) },
    () => {
      this.refusals += 1;
    },
    this.clock,
  );

  answer(): void {
    this.socket.bytesWritten += 100;
  }

  async after(ms: number): Promise<{ refusals: number; destroyed: boolean; timers: number }> {
    await this.clock.advance(ms);
    const { destroyed } = this.socket;
    return { refusals: this.refusals, destroyed, timers: this.clock.timersPending };
  }
}

const untouched = { refusals: 0, destroyed: false, timers: 1 };
const refused = { refusals: 1, destroyed: false, timers: 0 };
const left = { refusals: 0, destroyed: false, timers: 0 };
const gone = { refusals: 0, destroyed: true, timers: 0 };

describe('UnservedUpgrade', () => {
  it('refuses after two seconds what nobody has touched, and not before', async () => {
    const bench = new Bench();
    assert.deepEqual(await bench.after(1_999), untouched);
    assert.deepEqual(await bench.after(1), refused);
  });

  it('forgets a socket that is gone', async () => {
    const bench = new Bench();
    bench.socket.destroy();
    assert.deepEqual(await bench.after(2_000), gone);
  });

  const touches: readonly [string, (bench: Bench) => void][] = [
    ['is listened to', ({ socket }) => socket.on('close', () => {})],
    ['is read', ({ socket }) => socket.resume()],
    ['waits for an async listener', ({ upgrade }) => upgrade.isHandledBy([new Promise(() => {})])],
    ['is noted on the request', ({ request }) => Object.assign(request, { note: 1 })],
  ];
  for (const [title, touch] of touches) {
    it(`refuses after thirty seconds what ${title} and has no answer by then`, async () => {
      const bench = new Bench();
      touch(bench);
      assert.deepEqual(await bench.after(2_000), untouched);
      assert.deepEqual(await bench.after(27_999), untouched);
      assert.deepEqual(await bench.after(1), refused);
    });
  }

  it('refuses at once what an async listener has looked at and left', async () => {
    const bench = new Bench();
    bench.upgrade.isHandledBy([Promise.resolve(), 'not a promise']);
    await Promise.resolve();
    assert.deepEqual(await bench.after(2_000), refused);
  });

  it('leaves what is answered and attended to', async () => {
    const bench = new Bench();
    bench.answer();
    bench.socket.resume();
    await bench.after(2_000);
    assert.deepEqual(await bench.after(28_000), left);
  });

  it('destroys what is answered and attended to by nobody', async () => {
    const bench = new Bench();
    bench.answer();
    await bench.after(2_000);
    assert.deepEqual(await bench.after(28_000), gone);
  });

  it('survives an error of the socket', () => {
    const bench = new Bench();
    assert.doesNotThrow(() => bench.socket.emit('error', new Error('reset')));
  });
});
