import assert from 'node:assert/strict';
import { until } from '../support/until.ts';
import { DialedStage } from './dialed-stage.ts';
import { arrangements, closeSocket, type Drivers, drivers, follows } from './real-drivers.ts';
import { notDialed } from './real-infeasible.ts';
import type { Kind } from './real-kind.ts';

/** How each fact happens to a dialed connection. */
const dialedDrivers: Drivers<DialedStage> = {
  ...drivers,
  'admission.granted': follows,
  'admission.denied': follows,
  'admission.refused': ({ peer }) => peer.answer('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'),
  'peer.abandoned': follows,
  'socket.opened': async (stage) => {
    stage.peer.accept();
    await until(() => stage.isIn('open.intake.receiving'), 'it opens, and its welcome settles');
    await stage.plan.settled?.(stage);
  },
  'socket.closed': async (stage) => {
    if (!stage.isIn('handshaking.dialing')) return closeSocket(stage);
    // The host destroys the socket at the very moment at which an answer arrives that ws rejects.
    stage.raw.prependOnceListener('data', () => stage.raw.destroy());
    stage.peer.answer(stage.peer.acceptance.replace(/Accept: /, 'Accept: not '));
  },
  'outbox.drained': async (stage) => {
    stage.outbound.set({});
    await until(() => stage.connection.bufferedBytes === 0, 'the backlog has left');
    stage.passTime();
  },
  // There is no `onOpen` to wait for.
  'welcome.settled': follows,
  'welcome.expired': follows,
};

/** Connections that a client dials. */
export const dialed: Kind<DialedStage> = {
  name: 'dialed',
  opening: ['dial.requested', 'socket.opened', 'welcome.settled'],
  set: DialedStage.set,
  drivers: dialedDrivers,
  arrangements,
  cannotHappen: notDialed,
  async assertFailed({ peer, raw }, { fact }) {
    assert.ok(raw.destroyed, 'nothing more is tried');
    // A reset gives the peer no report.
    if (fact === 'socket.errored') return;
    await until(() => peer.ended || peer.closed, 'the peer is released');
  },
};
