import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { SendWindow } from '../../src/bus/nats/send-window.ts';

const MIB = 1_048_576;

/** A server that answers when the test says so. */
class SlowServer {
  readonly #questions: (() => void)[] = [];

  get isAsked(): boolean {
    return this.#questions.length > 0;
  }

  flush(): Promise<void> {
    return new Promise((resolve) => this.#questions.push(resolve));
  }

  async answer(): Promise<void> {
    this.#questions.shift()?.();
    await new Promise(setImmediate);
  }
}

let window: SendWindow;
let server: SlowServer;

/** Sends messages of a length until the window is full. Returns how many it took. */
function fill(bytes: number): number {
  let count = 0;
  while (window.take(server, bytes)) count += 1;
  return count;
}

describe('SendWindow', () => {
  beforeEach(() => {
    window = new SendWindow();
    server = new SlowServer();
  });

  it('takes about 8 MiB until the server answers', async () => {
    assert.equal(fill(MIB), 8);
    await server.answer();
    assert.equal(window.take(server, MIB), true);
  });

  it('empties after messages of different sizes in one turn', async () => {
    for (let left = 27; left > 0; left -= 1) window.take(server, 10_000);
    assert.ok(fill(1_000_000) > 0);
    while (server.isAsked) await server.answer();
    assert.equal(window.take(server, 1), true);
    assert.equal(fill(MIB), 8, 'the server has everything');
  });

  it('asks about a message once it has left, even if it fills the window alone', async () => {
    window.take(server, 9 * MIB);
    assert.equal(server.isAsked, false);
    assert.deepEqual([window.take(server, 1), server.isAsked], [false, true]);
    await server.answer();
    assert.equal(window.take(server, 1), true);
  });

  it('ignores an answer for an earlier connection', async () => {
    fill(MIB);
    window.reset();
    assert.equal(fill(MIB), 8);
    await server.answer();
    assert.equal(window.take(server, 1), false);
  });
});
