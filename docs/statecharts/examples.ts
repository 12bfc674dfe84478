/** One step of an example: the fact that the chart is sent, and its meaning there. */
export interface ExampleStep {
  readonly fact: string;
  readonly text: string;
}

/** A path through a chart, described step by step. */
export interface Example {
  /** Part of the names of its files. */
  readonly name: string;
  readonly title: string;
  /** What holds before the first fact. */
  readonly start: string;
  readonly steps: readonly ExampleStep[];
}

/** How every accepted connection begins. */
const accepted: readonly ExampleStep[] = [
  { fact: 'admission.granted', text: 'Limits, origin and `authenticate` let the peer in.' },
  { fact: 'socket.opened', text: 'The upgrade is answered with 101, and `onOpen` begins.' },
  { fact: 'welcome.settled', text: '`onOpen` has settled. From now on, messages are delivered.' },
];
const asked = 'A peer has sent a request to upgrade.';

/** Paths through the life of a connection. */
export const connectionExamples: readonly Example[] = [
  {
    name: 'peer-leaves',
    title: 'A peer that falls behind, catches up and leaves',
    start: asked,
    steps: [
      ...accepted,
      { fact: 'outbox.filled', text: 'The peer reads too slowly. Publications skip it.' },
      { fact: 'outbox.drained', text: 'The peer has caught up.' },
      {
        fact: 'peer.closing',
        text: 'The peer sends a close frame. Nobody can send to it any more.',
      },
      { fact: 'socket.closed', text: 'The answer is out, and TCP has ended.' },
      { fact: 'websocket.closed', text: '`onClose` gets the verdict: `peer-close`, clean.' },
    ],
  },
  {
    name: 'network-fails',
    title: 'A network that fails without a word',
    start: asked,
    steps: [
      ...accepted,
      { fact: 'heartbeat.missed', text: 'A ping is out, and half of the grace was silent.' },
      { fact: 'heartbeat.lost', text: 'The whole grace was silent. The socket is destroyed.' },
      { fact: 'socket.closed', text: 'The socket is gone.' },
      { fact: 'websocket.closed', text: '`onClose` gets the verdict: `heartbeat-timeout`.' },
    ],
  },
  {
    name: 'slow-reader',
    title: 'A peer that stops reading',
    start: asked,
    steps: [
      ...accepted,
      {
        fact: 'outbox.filled',
        text: 'The outbox passes its high mark. Publications skip the peer.',
      },
      { fact: 'outbox.stalled', text: 'The peer took nothing for `stalledMs`. It is sent 1013.' },
      { fact: 'deadline.passed', text: 'No answer within `closeMs`. The socket is destroyed.' },
      { fact: 'socket.closed', text: 'The socket is gone.' },
      { fact: 'websocket.closed', text: '`onClose` gets the verdict: `slow-consumer`, not clean.' },
    ],
  },
];

/** Paths through the life of a supervisor. */
export const supervisorExamples: readonly Example[] = [
  {
    name: 'deploy',
    title: 'A pause, and then a deploy',
    start: 'The service runs, and upgrade requests are admitted.',
    steps: [
      { fact: 'suspend.requested', text: 'You call `suspend()`. Whoever comes now gets 503.' },
      { fact: 'admit.requested', text: 'You call `admit()`. Peers are welcome again.' },
      { fact: 'drain.requested', text: 'You call `drain()`. All peers are asked to leave.' },
      { fact: 'deadline.passed', text: '`withinMs` is over. Peers that are left are cut off.' },
      { fact: 'fleet.emptied', text: 'Nobody is left. `drain()` resolves with its report.' },
    ],
  },
];

/** Paths through the life of a client. */
export const clientExamples: readonly Example[] = [
  {
    name: 'server-restarts',
    title: 'A server that restarts',
    start: 'The client exists, and has not dialed.',
    steps: [
      { fact: 'dial.requested', text: 'The first attempt begins.' },
      { fact: 'connection.opened', text: 'The connection is open. Queued messages leave.' },
      {
        fact: 'deadline.passed',
        text: 'It was open for `stableMs`. Earlier failures are forgotten.',
      },
      {
        fact: 'connection.ending',
        text: 'The server closes with 1001. Messages wait in the queue.',
      },
      { fact: 'ended.backoff', text: 'The connection is closed. The client waits a random time.' },
      { fact: 'deadline.passed', text: 'The time is over. The next attempt begins.' },
      { fact: 'ended.backoff', text: 'The server is not back. The client may wait twice as long.' },
      { fact: 'deadline.passed', text: 'Another attempt begins.' },
      { fact: 'connection.opened', text: 'The server is back, and the queue leaves.' },
      { fact: 'stop.requested', text: 'You call `close()`. The connection says goodbye.' },
      { fact: 'ended.backoff', text: 'The connection is closed, and nothing follows.' },
    ],
  },
];

/** Paths through the life of a pool. */
export const poolExamples: readonly Example[] = [
  {
    name: 'upstream-fails',
    title: 'An upstream that fails and comes back',
    start: 'Every member dials.',
    steps: [
      { fact: 'pool.filled', text: 'All members have an open connection.' },
      { fact: 'pool.thinned', text: 'One loses its connection. The others are handed out.' },
      { fact: 'pool.filled', text: 'The lost connection is replaced.' },
      { fact: 'drain.requested', text: 'You call `drain()`. Nothing is handed out any more.' },
      { fact: 'pool.emptied', text: 'Every connection has closed. `drain()` resolves.' },
    ],
  },
];
