// Goal: input that arrives while nothing is read is neither lost nor processed too early. Method: an async `onOpen`
// that the test settles. Nothing is read before that.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type AcceptedOptions, AcceptedPair } from '../support/accepted-pair.ts';
import {
  byError,
  byPeer,
  byUs,
  handshake,
  peerClose,
  sent,
  terminated,
} from '../support/closings.ts';
import { closePayload, opcode } from '../support/frames.ts';
import type { ExpectedVerdict } from '../support/pair.ts';
import { turns, until } from '../support/until.ts';
import { echoed, lostToNetwork } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, welcomeMs: 10_000 };
const { ended, reset } = lostToNetwork;

let pair: AcceptedPair;
let settle: () => void;

/** Opens a connection whose welcome lasts until `settle` is called. */
async function connect(options: AcceptedOptions = {}): Promise<AcceptedPair> {
  const welcome = new Promise<void>((resolve) => {
    settle = resolve;
  });
  pair = await AcceptedPair.open({ timeouts, onOpen: () => welcome, ...options });
  assert.ok(pair.connection.states.includes('open.intake.welcoming'));
  return pair;
}

/** Asserts that none of it was noticed during the welcome. */
async function assertUnnoticed(): Promise<void> {
  await turns(20);
  assert.deepEqual([pair.connection.state, pair.messages], ['open', []]);
}

const text = (message: string) =>
  pair.peer.frame({ opcode: opcode.text, payload: JSON.stringify(message) });
const texts = () => Buffer.concat(['one', 'two'].map(text));
const close = () => pair.peer.frame({ opcode: opcode.close, payload: closePayload(4000, 'bye') });

describe('D07 the peer leaves while we do not read', () => {
  afterEach(() => {
    settle();
    return pair.end();
  });

  const seen: readonly [string, () => void, 'closing' | 'errored', ExpectedVerdict][] = [
    ['FIN', () => pair.peer.end(), 'closing', { states: byPeer, ...ended }],
    ['RST', () => pair.peer.reset(), 'errored', { states: byError, ...reset }],
  ];
  for (const [what, go, event, expected] of seen) {
    it(`D07: ${what} is noticed at once when no input waits`, async () => {
      const { service } = await connect();
      go();
      await service.when(`connection.${event}`);
      settle();
      await pair.closedAs(expected);
    });
  }

  it('D07: onClose waits for onOpen, but the end is reported at once', async () => {
    const { peer, service } = await connect();
    peer.end();
    await service.when('connection.closed');
    assert.deepEqual(service.calls, ['onOpen']);
    settle();
    await until(() => service.calls.length === 2, 'onClose is called');
    assert.deepEqual(service.calls, ['onOpen', 'onClose']);
  });

  /**
   * What is written behind two waiting messages, what happens then, and whether the messages are delivered
   * afterwards.
   */
  const waiting: Readonly<Record<string, [() => void, ExpectedVerdict, 'delivered' | 'lost']>> = {
    'D07c: messages and a close frame wait, and arrive in order': [
      () => pair.peer.socket.write(close()),
      { states: byPeer, ...peerClose, ...echoed(4000, 'bye'), level: 'info' },
      'delivered',
    ],
    'D07c: messages and a FIN behind them wait, and arrive in order': [
      () => pair.peer.end(),
      { states: byPeer, ...ended },
      'delivered',
    ],
    'D07d: our close frame gets its echo, because closing resumes reading': [
      () => {
        pair.connection.close(1001, 'enough');
        void pair.peer.finishPolitely();
      },
      { states: byUs, ...handshake, code: 1001, sent: sent(1001, 'enough') },
      'lost',
    ],
    'D07e: messages that wait when RST arrives are lost': [
      () => pair.peer.reset(),
      { states: byError, ...reset },
      'lost',
    ],
    'D07f: terminate delivers none of the waiting messages': [
      () => void pair.connection.terminate(),
      { states: ['closing.forced', 'closing.reaping', 'closed'], ...terminated },
      'lost',
    ],
  };
  for (const [title, [happen, expected, fate]] of Object.entries(waiting)) {
    it(title, async () => {
      const { connection, peer } = await connect({ timeouts: { ...timeouts, closeMs: 10_000 } });
      peer.socket.write(texts());
      await assertUnnoticed();
      happen();
      if (fate === 'delivered') await assertUnnoticed();
      else await until(() => connection.state !== 'open', 'it is over');
      settle();
      await pair.closedAs(expected);
      assert.deepEqual(pair.messages, fate === 'delivered' ? ['one', 'two'] : []);
    });
  }

  it('D07c: the pause is limited: 1011 after welcomeMs, and no waiting message is delivered', async () => {
    const { peer } = await connect({ timeouts: { ...timeouts, welcomeMs: 200 } });
    peer.socket.write(texts());
    await peer.finishPolitely();
    const said = {
      code: 1011,
      sent: sent(1011),
      cause: 'welcome-timeout',
      level: 'error',
    } as const;
    await pair.closedAs({ states: byUs, ...handshake, ...said });
    assert.deepEqual(pair.messages, []);
  });

  it('D07c: the heartbeat waits too, however long the welcome lasts', async () => {
    const heartbeat = { intervalMs: 60, graceMs: 60 };
    const { peer, service } = await connect({
      heartbeat,
      timeouts: { ...timeouts, welcomeMs: 600 },
    });
    const verdict = await pair.closedAs({ cause: 'welcome-timeout', level: 'error' });
    assert.ok(verdict.openMs >= 600 - 50, `closed early: ${verdict.openMs} ms`);
    assert.deepEqual(service.of('connection.suspect'), []);
    // A write would reveal that the peer is gone.
    assert.ok(peer.frames.some((frame) => frame.opcode === opcode.ping));
  });
});
