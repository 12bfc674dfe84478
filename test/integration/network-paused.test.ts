import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';
import { echoed, faultless, plain } from '../support/verdicts.ts';

// The only pause there is: an async `onOpen` that has not settled. Nothing is read meanwhile.

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, welcomeMs: 10_000 };
const opening = ['handshaking.admitting', 'handshaking.upgrading', 'open'];
const closedByPeer = [...opening, 'closing.peer', 'closing.reaping', 'closed'];

const abnormal = { ...plain, code: 1006, reason: '', layer: 'tcp', clean: false } as const;

let service: Service;
let peer: RawPeer;
let connection: Connection<unknown, unknown, unknown>;
let settle: () => void;

/** Opens a connection whose welcome lasts until `settle` is called. */
async function connect(
  options: SupervisorOptions<unknown, unknown, unknown> = {},
  allowHalfOpen = false,
): Promise<void> {
  const welcome = new Promise<void>((resolve) => {
    settle = resolve;
  });
  service = await Service.start({ timeouts, onOpen: () => welcome, ...options });
  peer = await RawPeer.open(service.port, { allowHalfOpen });
  connection = await service.opened();
  assert.ok(connection.states.includes('open.intake.welcoming'));
}

async function release(): Promise<void> {
  settle();
  peer.destroy();
  await service.stop();
}

/** Asserts that nothing of it was noticed while the welcome lasts. */
async function assertUnnoticed(): Promise<void> {
  await turns(20);
  assert.deepEqual([connection.state, service.messages], ['open', []]);
}

const text = (message: string) =>
  buildFrame({ opcode: opcode.text, payload: JSON.stringify(message) });
const close = buildFrame({ opcode: opcode.close, payload: closePayload(4000, 'bye') });

describe('D07 the peer goes while we do not read', () => {
  afterEach(release);

  it('D07: FIN is seen at once when nothing waits to be read', async () => {
    await connect();
    peer.end();
    await service.when('connection.closing');
    settle();
    await service.closedAs({
      states: closedByPeer,
      ...abnormal,
      ...faultless,
      origin: 'network',
      cause: 'tcp-fin',
      level: 'info',
    });
  });

  it('D07: RST is seen at once when nothing waits to be read', async () => {
    await connect();
    peer.reset();
    await service.when('connection.errored');
    settle();
    await service.closedAs({
      states: [...opening, 'errored', 'closing.reaping', 'closed'],
      ...abnormal,
      origin: 'network',
      cause: 'tcp-reset',
      level: 'warn',
    });
  });

  it('D07: onClose waits for onOpen, but the end is told at once', async () => {
    await connect();
    peer.end();
    await service.when('connection.closed');
    assert.deepEqual(service.calls, ['onOpen']);
    settle();
    await until(() => service.calls.length === 2, 'onClose is called');
    assert.deepEqual(service.calls, ['onOpen', 'onClose']);
  });

  it('D07c: messages and a close frame wait, and come in order', async () => {
    await connect();
    peer.socket.write(Buffer.concat([text('one'), text('two'), close]));
    await assertUnnoticed();
    settle();
    await service.closedAs({
      states: closedByPeer,
      ...faultless,
      ...echoed(4000, 'bye'),
      origin: 'peer',
      layer: 'websocket',
      clean: true,
      cause: 'peer-close',
      level: 'info',
    });
    assert.deepEqual(service.messages, ['one', 'two']);
  });

  it('D07c: messages and a FIN behind them wait, and come in order', async () => {
    await connect();
    peer.socket.end(Buffer.concat([text('one'), text('two')]));
    await assertUnnoticed();
    settle();
    await service.closedAs({
      states: closedByPeer,
      ...abnormal,
      ...faultless,
      origin: 'network',
      cause: 'tcp-fin',
      level: 'info',
    });
    assert.deepEqual(service.messages, ['one', 'two']);
  });

  it('D07c: the pause is bounded: 1011 after welcomeMs, and nothing that waited is delivered', async () => {
    await connect({ timeouts: { ...timeouts, welcomeMs: 200 } });
    peer.socket.write(text('never delivered'));
    await peer.finishPolitely();
    await service.closedAs({
      states: [...opening, 'closing.local', 'closing.reaping', 'closed'],
      ...faultless,
      code: 1011,
      sent: { code: 1011, reason: '' },
      origin: 'local',
      layer: 'websocket',
      clean: true,
      cause: 'welcome-timeout',
      level: 'error',
    });
    assert.deepEqual(service.messages, []);
  });

  it('D07c: the heartbeat waits too, however long the welcome lasts', async () => {
    const heartbeat = { intervalMs: 60, graceMs: 60 };
    await connect({ heartbeat, timeouts: { ...timeouts, welcomeMs: 600 } });
    const verdict = await service.closedAs({ cause: 'welcome-timeout', level: 'error' });
    assert.ok(verdict.openMs >= 600 - 50, `closed early: ${verdict.openMs} ms`);
    assert.deepEqual(service.of('connection.suspect'), []);
    // A write would show that it is gone.
    assert.ok(peer.frames.some((frame) => frame.opcode === opcode.ping));
  });

  it('D07d: our close frame finds its echo, because closing reads on', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 10_000 } });
    peer.socket.write(text('waits'));
    await assertUnnoticed();
    connection.close(1001, 'enough');
    settle();
    await peer.finishPolitely();
    await service.closedAs({
      states: [...opening, 'closing.local', 'closing.reaping', 'closed'],
      ...faultless,
      code: 1001,
      sent: { code: 1001, reason: 'enough' },
      origin: 'local',
      layer: 'websocket',
      clean: true,
      cause: 'close',
      level: 'info',
    });
    assert.deepEqual(service.messages, []);
  });

  it('D07e: messages that wait when RST comes are lost', async () => {
    await connect();
    peer.socket.write(Buffer.concat([text('one'), text('two'), text('three')]));
    await assertUnnoticed();
    peer.reset();
    await service.when('connection.errored');
    settle();
    await service.closedAs({
      states: [...opening, 'errored', 'closing.reaping', 'closed'],
      ...abnormal,
      origin: 'network',
      cause: 'tcp-reset',
      level: 'warn',
    });
    assert.deepEqual(service.messages, []);
  });

  it('D07f: terminate delivers nothing of what waits', async () => {
    await connect();
    peer.socket.write(Buffer.concat([text('one'), text('two'), text('three')]));
    await assertUnnoticed();
    connection.terminate();
    settle();
    await service.closedAs({
      states: [...opening, 'closing.forced', 'closing.reaping', 'closed'],
      ...abnormal,
      ...faultless,
      origin: 'local',
      cause: 'terminate',
      level: 'info',
    });
    assert.deepEqual(service.messages, []);
  });
});
