import type { Fact } from './real-stage.ts';

/** Facts that no real socket can bring about while certain states are active. */
export interface Impossibility {
  /** The states that are active, all of them. */
  readonly states: readonly string[];
  readonly facts: readonly Fact[] | 'any';
  /** Facts that are not meant when any other is. */
  readonly except?: readonly Fact[];
  readonly because: string;
}

/**
 * What the chart takes although it cannot happen on a real socket, whichever side has dialed.
 *
 * The chart keeps these transitions: it decides for itself, and does not rely on the order in which others
 * tell it things. Here is who does rely on it.
 */
const cannotHappen: readonly Impossibility[] = [
  {
    states: ['open.intake.welcoming', 'open.liveness.suspect'],
    facts: 'any',
    because: 'Nobody becomes suspect while reading is paused, and a welcome does not begin again.',
  },
  {
    states: ['open.liveness.healthy'],
    facts: ['heartbeat.lost'],
    because: 'The second half of the grace begins when the first was missed, and ends with a sign.',
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
    because: 'While reading is paused nobody is judged, and the welcome is over.',
  },
  {
    states: ['open.intake.paused', 'open.liveness.suspect'],
    facts: ['pause.expired'],
    because: 'Handlers fall behind with messages, and a message is a sign of life first.',
  },
  {
    states: ['open.flow.flowing'],
    facts: ['outbox.stalled'],
    because: 'A backlog is no longer watched when it has drained.',
  },
  {
    states: ['open.flow.congested'],
    facts: ['socket.closed'],
    because: 'Its writes end, well or badly, before a socket tells that it has closed.',
  },
  {
    states: ['closing.reaping'],
    facts: ['socket.closed'],
    because: 'A socket closes once, and that is what began the reaping.',
  },
];

/** What, besides, cannot happen to a connection that was accepted. */
export const notAccepted: readonly Impossibility[] = [
  ...cannotHappen,
  {
    states: ['handshaking.admitting'],
    facts: ['dial.requested'],
    because: 'A socket that was accepted is not dialed.',
  },
  {
    states: ['handshaking.dialing'],
    facts: 'any',
    because: 'A socket that was accepted is not dialed.',
  },
  {
    states: ['handshaking.refusing'],
    facts: ['peer.abandoned'],
    because: 'Whoever leaves now leaves a WebSocket, and ends its socket.',
  },
  {
    states: ['handshaking.upgrading'],
    facts: ['deadline.passed', 'peer.abandoned', 'socket.closed'],
    because:
      'Upgrading takes one call of ws. Only a socket destroyed with an error is still to report it.',
  },
  {
    states: ['open.intake.welcoming'],
    facts: ['pause.expired'],
    because: 'No message reaches a handler before the welcome has settled.',
  },
  {
    states: ['open.intake.welcoming', 'open.liveness.healthy'],
    facts: ['heartbeat.missed', 'beat.missed'],
    because: 'While reading is paused nobody is judged: an answer could not be seen.',
  },
  {
    states: ['open.intake.welcoming', 'open.liveness.asleep'],
    facts: 'any',
    because: 'Nobody falls asleep while reading is paused, and a welcome does not begin again.',
  },
  {
    states: ['open.intake.receiving', 'open.liveness.healthy', 'open.flow.congested'],
    facts: ['beat.missed'],
    because: 'A peer that has not taken the request yet cannot answer it.',
  },
  {
    states: ['open.intake.paused', 'open.liveness.asleep'],
    facts: ['pause.expired'],
    because: 'Handlers fall behind with messages, and a message shows that its code runs.',
  },
  {
    states: ['open.liveness.asleep'],
    facts: ['heartbeat.lost'],
    because: 'The first half of the grace makes it suspect.',
  },
];

/** What, besides, cannot happen to a connection that was dialed. */
export const notDialed: readonly Impossibility[] = [
  ...cannotHappen,
  {
    states: ['handshaking.admitting'],
    facts: 'any',
    except: ['dial.requested'],
    because: 'It dials in the same call in which it comes to be; there is nobody to admit.',
  },
  {
    states: ['handshaking.upgrading'],
    facts: 'any',
    because: 'It is the peer that upgrades.',
  },
  {
    states: ['handshaking.refusing'],
    facts: 'any',
    because: 'It is the peer that refuses.',
  },
  {
    states: ['handshaking.dialing'],
    facts: ['peer.abandoned'],
    because:
      'An end before the answer is an error of the request; the answer itself binds the socket, or destroys it.',
  },
  {
    states: ['open.intake.welcoming'],
    facts: 'any',
    except: ['welcome.settled'],
    because: 'There is no `onOpen` to wait for: the welcome has settled when it begins.',
  },
  {
    states: ['open.intake.welcoming', 'open.flow.congested'],
    facts: 'any',
    because: 'Nothing is sent before the welcome has settled.',
  },
  {
    states: ['open.liveness.healthy'],
    facts: ['beat.missed'],
    because: 'It is the server that looks for pages that are asleep.',
  },
  {
    states: ['open.liveness.asleep'],
    facts: 'any',
    because: 'It is the server that looks for pages that are asleep.',
  },
];
