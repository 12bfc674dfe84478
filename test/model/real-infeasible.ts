import type { Fact } from './real-stage.ts';

/** Facts that no real socket can cause while certain states are active. */
export interface Impossibility {
  /** The active states, all of them. */
  readonly states: readonly string[];
  readonly facts: readonly Fact[] | 'any';
  /** Facts that `any` does not include. */
  readonly except?: readonly Fact[];
  readonly because: string;
}

/**
 * What the chart accepts although it cannot happen on a real socket, whichever side dialed.
 *
 * The chart keeps these transitions, because it decides for itself and does not rely on the order in which
 * others send it facts. These entries do rely on that order.
 */
const cannotHappen: readonly Impossibility[] = [
  {
    states: ['open.intake.welcoming', 'open.liveness.suspect'],
    facts: 'any',
    because: 'No peer becomes suspect while reading is paused, and a welcome does not begin again.',
  },
  {
    states: ['open.liveness.healthy'],
    facts: ['heartbeat.lost'],
    because:
      'The second half of the grace begins after the first half was missed, and ends with a sign of life.',
  },
  {
    states: ['open.intake.receiving'],
    facts: ['welcome.expired', 'pause.expired'],
    because: 'Each deadline is cancelled when the welcome has settled, or reading has resumed.',
  },
  {
    states: ['open.intake.paused'],
    facts: [
      ...(['welcome.expired', 'outbox.stalled', 'heartbeat.missed', 'heartbeat.lost'] as const),
      'beat.missed',
    ],
    because: 'While reading is paused no peer is judged, and the welcome is over.',
  },
  {
    states: ['open.intake.paused', 'open.liveness.suspect'],
    facts: ['pause.expired'],
    because: 'Handlers fall behind because of messages, and a message is a sign of life first.',
  },
  {
    states: ['open.flow.flowing'],
    facts: ['outbox.stalled'],
    because: 'A backlog is no longer watched when it has drained.',
  },
  {
    states: ['open.flow.congested'],
    facts: ['socket.closed'],
    because: 'Its writes end, with or without success, before a socket reports that it has closed.',
  },
  {
    states: ['closing.reaping'],
    facts: ['socket.closed'],
    because: 'A socket closes once, and that is what began the reaping.',
  },
];

/** What, in addition, cannot happen to an accepted connection. */
export const notAccepted: readonly Impossibility[] = [
  ...cannotHappen,
  {
    states: ['handshaking.admitting'],
    facts: ['dial.requested'],
    because: 'An accepted socket is not dialed.',
  },
  {
    states: ['handshaking.dialing'],
    facts: 'any',
    because: 'An accepted socket is not dialed.',
  },
  {
    states: ['handshaking.refusing'],
    facts: ['peer.abandoned'],
    because: 'A client that leaves now leaves a WebSocket, and ends its socket.',
  },
  {
    states: ['handshaking.upgrading'],
    facts: ['deadline.passed', 'peer.abandoned', 'socket.closed'],
    because:
      'Upgrading takes one call of ws. Only a socket destroyed with an error still has to report it.',
  },
  {
    states: ['open.intake.welcoming'],
    facts: ['pause.expired'],
    because: 'No message reaches a handler before the welcome has settled.',
  },
  {
    states: ['open.intake.welcoming', 'open.liveness.healthy'],
    facts: ['heartbeat.missed', 'beat.missed'],
    because: 'While reading is paused no peer is judged, because an answer could not be seen.',
  },
  {
    states: ['open.intake.welcoming', 'open.liveness.asleep'],
    facts: 'any',
    because: 'No page falls asleep while reading is paused, and a welcome does not begin again.',
  },
  {
    states: ['open.intake.receiving', 'open.liveness.healthy', 'open.flow.congested'],
    facts: ['beat.missed'],
    because: 'A peer that has not received the request yet cannot answer it.',
  },
  {
    states: ['open.intake.paused', 'open.liveness.asleep'],
    facts: ['pause.expired'],
    because: 'Handlers fall behind because of messages, and a message shows that its code runs.',
  },
  {
    states: ['open.liveness.asleep'],
    facts: ['heartbeat.lost'],
    because: 'The first half of the grace makes it suspect.',
  },
];

/** What, in addition, cannot happen to a dialed connection. */
export const notDialed: readonly Impossibility[] = [
  ...cannotHappen,
  {
    states: ['handshaking.admitting'],
    facts: 'any',
    except: ['dial.requested'],
    because: 'It dials in the call that creates it, and there is nothing to admit.',
  },
  {
    states: ['handshaking.upgrading'],
    facts: 'any',
    because: 'The peer upgrades.',
  },
  {
    states: ['handshaking.refusing'],
    facts: 'any',
    because: 'The peer refuses.',
  },
  {
    states: ['handshaking.dialing'],
    facts: ['peer.abandoned'],
    because:
      'An end before the answer is an error of the request. The answer itself binds the socket, or destroys it.',
  },
  {
    states: ['open.intake.welcoming'],
    facts: 'any',
    except: ['welcome.settled'],
    because: 'There is no `onOpen` to wait for, so the welcome has settled when it begins.',
  },
  {
    states: ['open.intake.welcoming', 'open.flow.congested'],
    facts: 'any',
    because: 'Nothing is sent before the welcome has settled.',
  },
  {
    states: ['open.liveness.healthy'],
    facts: ['beat.missed'],
    because: 'Only the server looks for sleeping pages.',
  },
  {
    states: ['open.liveness.asleep'],
    facts: 'any',
    because: 'Only the server looks for sleeping pages.',
  },
];
