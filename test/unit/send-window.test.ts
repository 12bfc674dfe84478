import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SendWindow } from '../../src/bus/nats/send-window.ts';

const MIB = 1_048_576;

/** A server that answers when it is told to. */
class Server {
  readonly asked: PromiseWithResolvers[] = [];

  flush(): Promise<void> {
    let settle: Pick<PromiseWithResolvers, 'resolve' | 'reject'> | undefined;
    const promise = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
    if (settle !== undefined) this.asked.push(settle);
    return promise;
  }
}

interface PromiseWithResolvers {
  resolve(): void;
  reject(error: Error): void;
}

/** Takes messages until the window is full. Returns how many it has taken. */
function fill(window: SendWindow, server: Server, bytes: number): number {
  let count = 0;
  while (count < 1_000_000 && window.take(server, bytes)) count += 1;
  return count;
}

describe('SendWindow', () => {
  it('is full after 8 MiB, and takes more when the server has answered', async () => {
    const window = new SendWindow();
    const server = new Server();
    const count = fill(window, server, 100_000);
    assert.ok(count >= 80 && count <= 84, `${count} messages`);
    assert.equal(server.asked.length, 1);
    server.asked[0]?.resolve();
    await Promise.resolve();
    assert.ok(fill(window, server, 100_000) > 0);
  });

  it('counts what short and empty messages cost', () => {
    assert.ok(fill(new SendWindow(), new Server(), 0) < 300_000);
  });

  it('ignores answers of an earlier connection', async () => {
    const window = new SendWindow();
    const [before, now] = [new Server(), new Server()];
    fill(window, before, 100_000);
    window.reset();
    const count = fill(window, now, 100_000);
    before.asked[0]?.resolve();
    before.asked[0]?.reject(new Error('lost'));
    await Promise.resolve();
    assert.equal(window.take(now, 1), false);
    assert.ok(count >= 80);
  });

  it('empties after messages of different sizes in one turn', async () => {
    const window = new SendWindow();
    const server = new Server();
    for (let left = 27; left > 0; left -= 1) window.take(server, 10_000);
    assert.ok(fill(window, server, MIB) > 0);
    for (const { resolve } of server.asked) {
      resolve();
      await Promise.resolve();
    }
    assert.equal(fill(window, server, MIB), 8, 'the server has everything');
  });

  it('asks about a message once it has left, even if it fills the window alone', async () => {
    const window = new SendWindow();
    const server = new Server();
    window.take(server, 9 * MIB);
    assert.equal(server.asked.length, 0);
    assert.deepEqual([window.take(server, 1), server.asked.length], [false, 1]);
    server.asked[0]?.resolve();
    await Promise.resolve();
    assert.equal(window.take(server, 1), true);
  });
});
