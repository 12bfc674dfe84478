import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { UnservedUpgrade } from '../../src/server/upgrade-server.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { turns } from '../support/until.ts';

/** A socket that no listener has touched, and its result. */
class Bench {
  readonly clock = new VirtualClock();
  readonly request = { url: '/nobody' } as IncomingMessage;
  readonly socket: PassThrough & { bytesWritten: number };
  refusals = 0;
  readonly upgrade: UnservedUpgrade;

  constructor(counters: { bytesWritten?: number } = { bytesWritten: 0 }) {
    this.socket = Object.assign(new PassThrough(), counters) as typeof this.socket;
    const socket = this.socket as unknown as Socket;
    const refuse = () => {
      this.refusals += 1;
    };
    const upgrade = { request: this.request, socket, head: Buffer.alloc(0) };
    this.upgrade = new UnservedUpgrade(upgrade, refuse, this.clock);
  }

  answer(): void {
    this.socket.bytesWritten += 100;
  }

  async after(ms: number): Promise<{ refusals: number; destroyed: boolean; timers: number }> {
    await this.clock.advance(ms);
    const { destroyed } = this.socket;
    return { refusals: this.refusals, destroyed, timers: this.clock.timersPending };
  }
}

const passed = (...results: unknown[]) => ({ results, mayBePending: false });

const untouched = { refusals: 0, destroyed: false, timers: 1 };
const refused = { refusals: 1, destroyed: false, timers: 0 };
const left = { refusals: 0, destroyed: false, timers: 0 };
const gone = { refusals: 0, destroyed: true, timers: 0 };

describe('UnservedUpgrade', () => {
  it('refuses untouched sockets after two seconds, and not before', async () => {
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
    [
      'waits for an async listener',
      ({ upgrade }) => upgrade.wasPassedOn(passed(new Promise(() => {}))),
    ],
    [
      'an unknown promise may handle',
      ({ upgrade }) => upgrade.wasPassedOn({ results: [], mayBePending: true }),
    ],
    ['is noted on the request', ({ request }) => Object.assign(request, { note: 1 })],
  ];
  for (const [title, touch] of touches) {
    it(`refuses a socket that ${title} and has no answer after thirty seconds`, async () => {
      const bench = new Bench();
      touch(bench);
      assert.deepEqual(await bench.after(2_000), untouched);
      assert.deepEqual(await bench.after(27_999), untouched);
      assert.deepEqual(await bench.after(1), refused);
    });
  }

  it('refuses at once a socket that an async listener looked at and left', async () => {
    const bench = new Bench();
    bench.upgrade.wasPassedOn(passed(Promise.resolve(), 'not a promise'));
    await Promise.resolve();
    assert.deepEqual(await bench.after(2_000), refused);
  });

  it('leaves a socket that is answered and attended to', async () => {
    const bench = new Bench();
    bench.answer();
    bench.socket.resume();
    await bench.after(2_000);
    assert.deepEqual(await bench.after(28_000), left);
  });

  it('destroys a socket that is answered and that nothing attends to', async () => {
    const bench = new Bench();
    bench.answer();
    await bench.after(2_000);
    assert.deepEqual(await bench.after(28_000), gone);
  });

  it('destroys at once a socket that was ended and is not read', async () => {
    const bench = new Bench();
    bench.socket.on('close', () => {});
    bench.socket.end();
    await turns();
    assert.deepEqual(await bench.after(2_000), gone);
  });

  it('destroys after thirty seconds a socket that was answered, ended later and is not read', async () => {
    const bench = new Bench();
    bench.socket.on('close', () => {});
    bench.answer();
    await bench.after(2_000);
    bench.socket.end();
    await turns();
    assert.deepEqual(await bench.after(28_000), gone);
  });

  it('leaves a socket that was ended and is read until its client leaves', async () => {
    const bench = new Bench();
    bench.answer();
    bench.socket.pause();
    bench.socket.end('bytes that the client has sent meanwhile');
    await turns();
    await bench.after(2_000);
    assert.deepEqual(await bench.after(28_000), left);
  });

  it('never refuses a stream without a byte count', async () => {
    const bench = new Bench({});
    bench.socket.on('data', () => {});
    await bench.after(2_000);
    assert.deepEqual(await bench.after(28_000), left);
  });

  it('survives an error of the socket', () => {
    const bench = new Bench();
    assert.doesNotThrow(() => bench.socket.emit('error', new Error('reset')));
  });
});
