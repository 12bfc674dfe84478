import assert from 'node:assert/strict';
import { Refusal } from '../../src/index.ts';
import { opcode } from '../support/frames.ts';
import { until } from '../support/until.ts';
import { AcceptedStage } from './accepted-stage.ts';
import {
  type Arrangement,
  arrangements,
  type Drivers,
  drivers,
  failHandler,
  leaveHandlerPending,
  passTime,
} from './real-drivers.ts';
import { notAccepted } from './real-infeasible.ts';
import type { Kind } from './real-kind.ts';

/** Less than the interval of the stage's heartbeat. */
const BEFORE_NEXT_BEAT_MS = 19_000;

/** How each fact happens to an accepted connection. */
const acceptedDrivers: Drivers<AcceptedStage> = {
  ...drivers,
  'admission.granted': ({ plan, raw, admission }) => {
    plan.granted?.(raw);
    admission.open();
  },
  'admission.refused': (stage) => {
    if (stage.isIn('handshaking.admitting')) stage.admission.fail(new Refusal(403));
    else if (stage.isIn('handshaking.refusing')) void stage.service.supervisor.drain();
  },
  'admission.denied': (stage) => stage.admission.fail(new Refusal(403, 'no', { close: true })),
  'peer.abandoned': (stage) => {
    if (stage.isIn('handshaking.admitting')) stage.inbound.end();
  },
  'handler.errored': throwInHandler,
  'outbox.drained': ({ outbound }) => outbound.set({}),
  'welcome.settled': async (stage) => {
    stage.welcome.open();
    await stage.takes('welcome.settled', stage.steps.length);
    await stage.plan.settled?.(stage);
  },
  'welcome.expired': passTime,
};

function throwInHandler(stage: AcceptedStage): void {
  if (stage.isIn('open.intake.welcoming')) stage.welcome.fail(new Error('failed on purpose'));
  else failHandler(stage);
}

/** Gives a handler work, and leaves it to the beat to find that nothing more arrives. */
async function leaveHandlerPendingAsleep(stage: AcceptedStage): Promise<void> {
  await leaveHandlerPending(stage);
  stage.clock.advance(BEFORE_NEXT_BEAT_MS);
  const read = stage.raw.bytesRead;
  stage.peer.send({ opcode: opcode.pong });
  await until(() => stage.raw.bytesRead > read, 'a pong is read');
}

const ownArrangements: readonly Arrangement[] = [
  // Upgrading takes a single call, so whatever must happen during it is arranged before.
  {
    states: ['handshaking.upgrading'],
    facts: ['admission.refused'],
    // ws objects to the header when everything else has proved valid.
    plan: { headers: { 'Sec-WebSocket-Protocol': 'twice, twice' } },
  },
  {
    states: ['handshaking.upgrading'],
    facts: ['socket.errored'],
    plan: { granted: (raw) => void raw.destroy(new Error('a neighbour destroyed it')) },
  },
  {
    states: ['open.liveness.asleep'],
    facts: ['handler.errored'],
    plan: { settled: leaveHandlerPendingAsleep },
  },
];

/** What a client receives when its upgrade is refused. Nothing when it, or its socket, is gone. */
const statuses: Readonly<Record<string, number>> = {
  'handshaking.admitting admission.refused': 403,
  'handshaking.admitting deadline.passed': 503,
  'handshaking.upgrading admission.refused': 400,
};

/** Connections that a supervisor accepts. */
export const accepted: Kind<AcceptedStage> = {
  name: 'accepted',
  opening: ['admission.granted', 'socket.opened', 'welcome.settled'],
  set: AcceptedStage.set,
  drivers: acceptedDrivers,
  arrangements: [...ownArrangements, ...arrangements],
  cannotHappen: notAccepted,
  async assertFailed({ peer }, { state, fact }) {
    const isRefusedOpenly = state === 'handshaking.refusing';
    const status = isRefusedOpenly ? 101 : (statuses[`${state} ${fact}`] ?? 0);
    await until(() => peer.status === status || peer.closed, 'the request is answered');
    assert.equal(peer.status, status);
  },
};
