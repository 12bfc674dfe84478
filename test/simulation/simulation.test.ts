import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyStateMachine } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import type { ArrowCount } from '../../src/chart/chart-counts.ts';
import type { AcceptFailureCause } from '../../src/core/failure.ts';
import type { CloseCause, RefusedMessage } from '../../src/core/verdict.ts';
import { transitionNames } from '../support/chart-walk.ts';
import { type Campaign, campaign, failureText, readRegressions } from './campaign.ts';
import { simulateDialed } from './dialed/dialed-simulation.ts';
import { simulate } from './simulation.ts';

// Goal: no rule of the supervisor breaks, whatever happens in whatever order. Method: production code on
// virtual time between fake sockets, with the rules checked after every step. `npm run simulate` does the
// same for other seeds, and for more of them.

const FIRST_SEED = 21_001;
const SEEDS = 3_000;
const SEEDS_ON_DEMAND = 1_500;
const SEEDS_DIALED = 300;

describe('a simulated service', () => {
  let outcome: Campaign;

  it(`breaks no rule from seed ${FIRST_SEED} on, ${SEEDS} times`, async (t) => {
    outcome = await campaign(FIRST_SEED, SEEDS);
    assert.equal(outcome.failure && failureText(outcome.failure), undefined);
    t.diagnostic(`${outcome.events} events, ${outcome.cpuMs.toFixed(2)} ms of CPU for each seed`);
  });

  it('ends in every way in which a connection can end', () => {
    assert.deepEqual(notReported('closed', closeCauses), []);
    assert.deepEqual(notReported('failed', failureCauses), []);
    for (const how of ['clean', 'simultaneous', 'lingered']) assert.ok(outcome.tally.has(how), how);
  });

  function notReported(how: string, causes: Readonly<Record<string, true>>): string[] {
    return Object.keys(causes).filter((cause) => !outcome.tally.has(`${how} ${cause}`));
  }

  it('takes every transition of the charts that a socket can lead to', async () => {
    const taken = new Set([...(await takenByAccepted()), ...(await takenByDialed())]);
    const arrows = [connectionMachine, supervisorMachine].flatMap(arrowsOf);
    assert.deepEqual(
      arrows.filter((arrow) => !taken.has(arrow)),
      [],
    );
  });

  for (const { seed, found } of readRegressions()) {
    it(`breaks no rule for seed ${seed}, which once found ${found}`, async () => {
      const { violation } = await simulate(seed);
      assert.equal(violation, null);
    });
  }
});

async function takenByAccepted(): Promise<string[]> {
  const taken: string[] = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS_ON_DEMAND; seed += 1) {
    const { violation, chart } = await simulate(seed, { actors: 'on-demand' });
    assert.equal(violation, null);
    for (const [name, { arrows }] of Object.entries(chart)) taken.push(...arrowNames(name, arrows));
  }
  return taken;
}

async function takenByDialed(): Promise<string[]> {
  const taken: string[] = [];
  for (let seed = 1; seed <= SEEDS_DIALED; seed += 1) {
    const { arrows } = await simulateDialed(seed);
    taken.push(...arrowNames('connection', arrows.connection));
  }
  return taken;
}

function arrowNames(chart: string, arrows: readonly ArrowCount[]): string[] {
  return arrows.map(({ from, fact }) => `${chart}${from && '.'}${from} ─ ${fact}`);
}

/** Every arrow that a machine draws, except those that forbid a fact or handle the signal of a child. */
function arrowsOf(machine: AnyStateMachine): string[] {
  return [...transitionNames(machine)].flatMap(([{ source, eventType, target, actions }]) =>
    (target === undefined && actions.length === 0) || eventType.startsWith('xstate.')
      ? []
      : [`${source.id} ─ ${eventType}`],
  );
}

describe('a seed', () => {
  it('gives the same simulation again, down to every line of its trace', async () => {
    for (let seed = 100; seed < 140; seed += 1) {
      const first = await simulate(seed, { trace: true });
      const second = await simulate(seed, { trace: true });
      assert.deepEqual(second.trace, first.trace);
      assert.equal(second.digest, first.digest);
    }
  });

  it('gives the same simulation with and without a listener', async () => {
    for (let seed = 200; seed < 220; seed += 1) {
      const plain = await simulate(seed);
      const watched = await simulate(seed, { trace: true, inspect: () => {} });
      assert.equal(watched.digest, plain.digest);
      assert.equal(watched.events, watched.trace.length);
      assert.equal((await simulate(seed, { actors: 'on-demand' })).digest, plain.digest);
    }
  });

  it('gives a different simulation from every other seed', async () => {
    const digests = new Set<string>();
    for (let seed = 0; seed < 300; seed += 1) digests.add((await simulate(seed)).digest);
    assert.equal(digests.size, 300);
  });

  it('usually gives a few connections, and a crowd now and then', async () => {
    const sizes: number[] = [];
    for (let seed = 300; seed < 1_300; seed += 1) sizes.push((await simulate(seed)).connections);
    const few = sizes.filter((size) => size <= 8).length;
    assert.ok(few > 800, `${few} of 1000 are small`);
    assert.ok(Math.max(...sizes) >= 100, `the largest has ${Math.max(...sizes)}`);
  });
});

/** Causes that only clients have, which are not simulated. */
type ClientCause = 'silent' | 'reader-too-slow' | 'connection-lost';

/** Simulated messages arrive whole: none takes too long, or has too many pieces. No topic is durable. */
const closeCauses: Readonly<
  Record<Exclude<CloseCause, RefusedMessage | ClientCause | 'missed-messages'>, true>
> = {
  close: true,
  drain: true,
  terminate: true,
  fail: true,
  'handler-error': true,
  crash: true,
  'welcome-timeout': true,
  'handler-stalled': true,
  expired: true,
  'invalid-message': true,
  'message-rate': true,
  'slow-consumer': true,
  replaced: true,
  'heartbeat-timeout': true,
  'ping-flood': true,
  'peer-close': true,
  'close-timeout': true,
  'protocol-error': true,
  'taken-away': true,
  'send-error': true,
  'tcp-fin': true,
  'tcp-fin-backlog': true,
  'tcp-reset': true,
  'tcp-timeout': true,
  'tcp-error': true,
  unknown: true,
};

/** A plain request creates no connection, and is not simulated. */
const failureCauses: Readonly<Record<Exclude<AcceptFailureCause, 'not-upgraded'>, true>> = {
  'bad-request': true,
  'wrong-method': true,
  'wrong-version': true,
  'wrong-path': true,
  'wrong-host': true,
  'wrong-origin': true,
  'wrong-subprotocol': true,
  unauthorized: true,
  refused: true,
  'authenticate-error': true,
  'connections-max': true,
  'address-max': true,
  'address-rate': true,
  'accept-rate': true,
  suspended: true,
  draining: true,
  'handshake-timeout': true,
  abandoned: true,
  'tcp-reset': true,
  'tcp-timeout': true,
  'tcp-error': true,
  'taken-away': true,
  crash: true,
};
