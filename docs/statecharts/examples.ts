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
  /** The situation before the first fact. */
  readonly start: string;
  readonly steps: readonly ExampleStep[];
}

/** How every accepted connection begins. */
const accepted: readonly ExampleStep[] = [
  { fact: 'admission.granted', text: 'Limits, origin and `authenticate` admit the peer.' },
  { fact: 'socket.opened', text: 'The peer gets 101, and `onOpen` begins.' },
  { fact: 'welcome.settled', text: '`onOpen` has settled. Messages are now delivered.' },
];
const asked = 'A peer has sent an upgrade request.';

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
        text: 'The peer sends a close frame. You can no longer send to it.',
      },
      { fact: 'socket.closed', text: 'The answer has left, and TCP has ended.' },
      { fact: 'websocket.closed', text: '`onClose` gets the verdict: `peer-close`, clean.' },
    ],
  },
  {
    name: 'network-fails',
    title: 'A network that fails silently',
    start: asked,
    steps: [
      ...accepted,
      {
        fact: 'heartbeat.missed',
        text: 'A ping has left, and half of the grace passed in silence.',
      },
      {
        fact: 'heartbeat.lost',
        text: 'The whole grace passed in silence. The socket is destroyed.',
      },
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
      { fact: 'outbox.stalled', text: 'The peer took nothing for `stalledMs`. It gets 1013.' },
      {
        fact: 'deadline.passed',
        text: 'No answer came within `closeMs`. The socket is destroyed.',
      },
      { fact: 'socket.closed', text: 'The socket is gone.' },
      { fact: 'websocket.closed', text: '`onClose` gets the verdict: `slow-consumer`, not clean.' },
    ],
  },
];

/** Paths through the life of a supervisor. */
export const supervisorExamples: readonly Example[] = [
  {
    name: 'deploy',
    title: 'A pause, then a deploy',
    start: 'The service runs and admits upgrade requests.',
    steps: [
      { fact: 'suspend.requested', text: 'You call `suspend()`. Upgrade requests now get 503.' },
      { fact: 'admit.requested', text: 'You call `admit()`. Peers are admitted again.' },
      { fact: 'drain.requested', text: 'You call `drain()`. All connections begin to close.' },
      {
        fact: 'deadline.passed',
        text: '`withinMs` has passed. The remaining sockets are destroyed.',
      },
      { fact: 'fleet.emptied', text: 'No connection is left. `drain()` resolves with its report.' },
    ],
  },
];

/** Paths through the life of a client. */
export const clientExamples: readonly Example[] = [
  {
    name: 'server-restarts',
    title: 'A server that restarts',
    start: 'The client exists but has not dialed.',
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
      { fact: 'deadline.passed', text: 'The time has passed. The next attempt begins.' },
      { fact: 'ended.backoff', text: 'The server is not back. The client may wait twice as long.' },
      { fact: 'deadline.passed', text: 'Another attempt begins.' },
      { fact: 'connection.opened', text: 'The server is back. Queued messages leave.' },
      { fact: 'stop.requested', text: 'You call `close()`. The connection begins to close.' },
      { fact: 'ended.backoff', text: 'The connection is closed. The client has stopped.' },
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
      {
        fact: 'pool.thinned',
        text: 'One member loses its connection. `checkout()` returns others.',
      },
      { fact: 'pool.filled', text: 'The lost connection is replaced.' },
      { fact: 'drain.requested', text: 'You call `drain()`. `checkout()` returns `undefined`.' },
      { fact: 'pool.emptied', text: 'Every connection has closed. `drain()` resolves.' },
    ],
  },
];

/** Paths through the life of a durable topic in one process. */
export const topicLogExamples: readonly Example[] = [
  {
    name: 'outage',
    title: 'An outage of the bus',
    start: 'The first member joins the topic in this process.',
    steps: [
      {
        fact: 'interest.ready',
        text: 'New entries are heard. The bus is asked where the topic ends.',
      },
      {
        fact: 'tail.told',
        text: 'The place is known. Each entry that is heard goes to the members.',
      },
      { fact: 'deadline.passed', text: 'After 250 ms, the bus is asked again.' },
      { fact: 'tail.told', text: 'Nothing is missing.' },
      {
        fact: 'bus.returned',
        text: 'The bus was down and is up again. Entries may have been missed.',
      },
      { fact: 'tail.advanced', text: 'The topic ends later than the last entry that was heard.' },
      { fact: 'deadline.passed', text: 'The entry did not come. It is read from the bus.' },
      { fact: 'gap.filled', text: 'It goes to the members. Nothing is missing any more.' },
      { fact: 'audience.left', text: 'The last member has left. The log lingers for two minutes.' },
      {
        fact: 'audience.returned',
        text: 'A member is back and finds the newest entries in memory.',
      },
    ],
  },
];
