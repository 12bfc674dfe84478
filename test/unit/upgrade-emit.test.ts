import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { ours, UpgradeEmit, type UpgradeServer } from '../../src/server/upgrade-server.ts';

// Goal: the rules for `shouldUpgradeCallback` hold on every version of Node.js that runs the tests. Method: a server
// that has it, with the default of Node.js 24 or a callback of the host.

type Callback = (this: EventEmitter, request: IncomingMessage) => boolean;

/** The default of Node.js. */
const anybodyListens: Callback = function (this: EventEmitter) {
  return this.listenerCount('upgrade') > 0;
};

class ServerWithCallback extends EventEmitter {
  shouldUpgradeCallback: Callback;

  constructor(callback: Callback) {
    super();
    this.shouldUpgradeCallback = callback;
  }

  upgrades(upgrade: string): boolean {
    return this.shouldUpgradeCallback({ headers: { upgrade } } as IncomingMessage);
  }
}

/** A server with Mooring attached. */
function attached(callback: Callback) {
  const server = new ServerWithCallback(callback);
  const taken: (readonly unknown[])[] = [];
  const emit = new UpgradeEmit(server as unknown as UpgradeServer, (args) => taken.push(args));
  server.on(
    'upgrade',
    ours(() => {}),
  );
  return { server, emit, taken };
}

describe('UpgradeEmit: where Node.js asks shouldUpgradeCallback', () => {
  it('emits WebSocket upgrades, and handles other upgrades as plain requests', () => {
    const { server } = attached(anybodyListens);
    assert.deepEqual([server.upgrades('WebSocket'), server.upgrades('h2c')], [true, false]);
  });

  it('leaves other upgrades to the listeners of the host', () => {
    const { server } = attached(anybodyListens);
    server.on('upgrade', () => {});
    assert.equal(server.upgrades('h2c'), true);
    server.removeAllListeners('upgrade');
    assert.equal(server.upgrades('h2c'), false);
  });

  it("respects the host's own callback, also for WebSockets", () => {
    const asked: (string | undefined)[] = [];
    const { server } = attached(({ headers }) => {
      asked.push(headers.upgrade);
      return headers.upgrade === 'h2c';
    });
    assert.deepEqual([server.upgrades('websocket'), server.upgrades('h2c')], [false, true]);
    assert.deepEqual(asked, ['websocket', 'h2c']);
  });

  it('restores the callback at release', () => {
    const { server, emit } = attached(anybodyListens);
    emit.release();
    assert.equal(server.shouldUpgradeCallback, anybodyListens);
    assert.equal(Object.hasOwn(server, 'emit'), false);
  });

  it('keeps a callback that the host has set meanwhile', () => {
    const { server, emit } = attached(anybodyListens);
    const mine: Callback = () => true;
    server.shouldUpgradeCallback = mine;
    emit.release();
    assert.equal(server.shouldUpgradeCallback, mine);
  });

  it('has no effect after release, even where the host still calls it', () => {
    const { server, emit, taken } = attached(anybodyListens);
    const { shouldUpgradeCallback, emit: ourEmit } = server;
    emit.release();
    server.shouldUpgradeCallback = shouldUpgradeCallback;
    assert.equal(server.upgrades('h2c'), true);
    const heard: unknown[] = [];
    server.on('upgrade', (request) => heard.push(request));
    ourEmit.call(server, 'upgrade', 'request');
    assert.deepEqual([taken, heard], [[], ['request']]);
  });

  it('sets no callback on a server that has none', () => {
    const server = new EventEmitter();
    const emit = new UpgradeEmit(server as unknown as UpgradeServer, () => {});
    assert.equal('shouldUpgradeCallback' in server, false);
    emit.release();
    assert.equal('shouldUpgradeCallback' in server, false);
  });
});
