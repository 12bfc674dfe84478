import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyStateMachine } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import { OfflineQueue } from '../../src/client/offline-queue.ts';
import { OutboundOutbox } from '../../src/client/outbound-outbox.ts';
import { Sender } from '../../src/client/sender.ts';
import { BrowserTransport } from '../../src/transport/browser-transport.ts';
import { transitionNames } from '../support/chart-walk.ts';
import { type DialedResult, simulateDialed } from './dialed/dialed-simulation.ts';
import { instead, insteadOfGetter, type PlantedFault } from './planted.ts';

// Goal: a client accounts for every message that it accepted. Each one leaves in order, or is reported once.
// Method: production code on virtual time, over sockets of Node.js and of a page that break anywhere.

const SEEDS = 1_200;

describe('a simulated client', () => {
  const taken = new Set<string>();

  it(`breaks no rule, ${SEEDS} times`, async (t) => {
    const sums = { attempts: 0, accepted: 0 };
    let broken: DialedResult | undefined;
    for (let seed = 1; seed <= SEEDS && broken === undefined; seed += 1) {
      const result = await simulateDialed(seed);
      sums.attempts += result.attempts;
      sums.accepted += result.accepted;
      for (const { from, fact } of result.arrows.client) taken.add(`${from} ${fact}`);
      if (result.violation !== null) broken = result;
    }
    t.diagnostic(JSON.stringify(sums));
    assert.deepEqual(broken && { seed: broken.seed, ...broken.violation }, undefined);
  });

  it('takes every transition of its chart', () => {
    assert.deepEqual(
      arrowsOf(clientMachine).filter((arrow) => !taken.has(arrow)),
      [],
    );
  });

  it('is the same for the same seed', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      assert.deepEqual(await simulateDialed(seed), await simulateDialed(seed));
    }
  });
});

/** Every arrow that a machine draws, but those for the signals of children. */
function arrowsOf(machine: AnyStateMachine): string[] {
  return [...transitionNames(machine)].flatMap(([{ source, eventType }]) =>
    eventType.startsWith('xstate.') ? [] : [`${source.path.join('.')} ${eventType}`],
  );
}

const faults: readonly PlantedFault[] = [
  {
    mistake: 'what a socket had is forgotten when its connection ends',
    plant: instead(OutboundOutbox.prototype, 'end', function (this: OutboundOutbox) {
      this.stop();
    }),
    breaks: ['accounted-for'],
  },
  {
    mistake: 'what a socket had is sent again',
    plant: instead(OutboundOutbox.prototype, 'send', (original, ...args) => {
      original(...args);
      return 'refused';
    }),
    breaks: ['written-once', 'accounted-for'],
  },
  {
    mistake: 'a message that could not be written is lost',
    plant: instead(OfflineQueue.prototype, 'putBack', () => {}),
    breaks: ['accounted-for', 'tells-the-truth'],
  },
  {
    mistake: 'a queue that is given up is forgotten',
    plant: instead(OfflineQueue.prototype, 'clear', () => {}),
    breaks: ['accounted-for', 'tells-the-truth'],
  },
  {
    mistake: 'a dropped message is reported twice',
    plant: instead(Sender.prototype, 'dropped', (original, ...args) => {
      original(...args);
      original(...args);
    }),
    breaks: ['reported-once'],
  },
  {
    mistake: 'a page takes for left what its browser still has',
    plant: insteadOfGetter(
      BrowserTransport.prototype,
      'leftBytes',
      function (this: BrowserTransport) {
        return this.bytesOut;
      },
    ),
    breaks: ['accounted-for', 'tells-the-truth'],
  },
  {
    mistake: 'a connection that is over holds its deadline',
    plant: instead(OutboundOutbox.prototype, 'stop', () => {}),
    breaks: ['holds-no-deadline', 'accounted-for'],
  },
];

describe('the simulation of clients finds out when', () => {
  for (const { mistake, plant, breaks } of faults) {
    it(mistake, async () => {
      const restore = plant();
      try {
        const found = await firstViolation();
        assert.ok(found !== null, 'nothing is found');
        assert.ok(breaks.includes(found.rule), `${found.rule}: ${found.problem}`);
      } finally {
        restore();
      }
    });
  }
});

async function firstViolation(): Promise<DialedResult['violation']> {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violation } = await simulateDialed(seed);
    if (violation !== null) return violation;
  }
  return null;
}
