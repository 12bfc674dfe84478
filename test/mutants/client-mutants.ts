import type { Mutant } from './mutant.ts';

const backpressure = 'src/connection/back-pressure.ts';
const supervisor = 'src/server/supervisor.ts';
const clientChart = 'machines/client.ts';
const reconnectPolicy = 'src/client/reconnect/reconnect-policy.ts';
const queue = 'src/client/offline-queue.ts';
const sender = 'src/client/sender.ts';
const circuit = 'src/client/pool/circuit-breaker.ts';
const pool = 'src/client/pool/supervised-pool.ts';
const children = 'src/server/children.ts';
const appHeartbeat = 'src/server/app-heartbeat.ts';

/** Faults of clients, pools and the children of a supervisor. */
export const clientMutants: readonly Mutant[] = [
  // Clients.
  {
    name: 'backoff forgotten early',
    fault: 'A connection that has only just opened makes a client forget its failures.',
    file: clientChart,
    from: "entry: 'announceUp',",
    to: "entry: ['announceUp', 'resetBackoff'],",
  },
  {
    name: 'second attempt',
    fault: 'A client that wakes up dials although it is connected.',
    file: clientChart,
    from: "'wake.noticed': { actions: 'probe' },",
    to: "'wake.noticed': 'dialing',",
  },
  {
    name: 'no probe at wake',
    fault: 'A client that wakes up trusts a connection that may have died meanwhile.',
    file: clientChart,
    from: "'wake.noticed': { actions: 'probe' },",
    to: '',
  },
  {
    name: 'unstoppable',
    fault: 'A client that is connected ignores `close` and its signal.',
    file: clientChart,
    from: "'network.returned': { actions: 'probe' },\n        'demand.ended': 'idling',\n        'stop.requested': 'stopping',",
    to: "'network.returned': { actions: 'probe' },\n        'demand.ended': 'idling',",
  },
  {
    name: 'offline forever',
    fault: 'A client whose host is wrong about its network never dials again.',
    file: reconnectPolicy,
    from: "case 'offline':\n        return maxMs;",
    to: "case 'offline':\n        return 10 ** 9;",
  },
  {
    name: 'Retry-After ignored',
    fault: 'A client comes back sooner than the server asked it to.',
    file: 'src/client/reconnect/backoff.ts',
    from: 'if (retryAfterMs !== undefined) {',
    to: 'if (retryAfterMs === null) {',
  },
  {
    name: 'never means later',
    fault: 'A client dials again although no attempt can succeed.',
    file: reconnectPolicy,
    from: "if (retry === 'now' || retry === 'never') return retry;",
    to: "if (retry === 'never') return 'backoff';\n    if (retry === 'now') return retry;",
  },
  {
    name: 'endless restarts',
    fault: 'A client continues however often its connections end.',
    file: reconnectPolicy,
    from: "return this.#intensity.exceeded(nowMs) ? 'restarts.exceeded' : fact;",
    to: 'return fact;',
  },
  {
    name: 'ending twice',
    fault: 'A client emits the ending of a connection twice.',
    file: 'src/client/dialer.ts',
    from: 'this.#parts.streams.endings.next(ending);',
    to: 'for (const _ of [1, 2]) this.#parts.streams.endings.next(ending);',
  },
  {
    name: 'endless queue',
    fault: 'Messages sent without a connection are kept without a limit.',
    file: queue,
    from: 'return this.size > queueMax || this.#bytes > queueBytesMax;',
    to: 'return this.size > queueMax && this.#bytes > queueBytesMax;',
  },
  {
    name: 'stale messages',
    fault: 'Messages that have expired are sent with the next connection.',
    file: queue,
    from: 'this.purge(nowMs);\n    return this.#waiting[this.#taken];',
    to: 'void nowMs;\n    return this.#waiting[this.#taken];',
  },
  {
    name: 'jumping the queue',
    fault: 'A message is sent before older messages that wait.',
    file: sender,
    from: 'const outbox = this.queued === 0 ? this.#dialer.outbox : null;',
    to: 'const outbox = this.#dialer.outbox;',
  },
  {
    name: 'lost on the way out',
    fault: 'Waiting messages are written to a connection that accepts nothing.',
    file: sender,
    from: 'if (!outbox.hasRoom(bytes)) {',
    to: 'if (bytes < 0) {',
  },
  {
    name: 'abandoned attempt',
    fault: 'An abandoned attempt keeps its socket.',
    file: 'src/transport/ws-transport.ts',
    from: 'this.#socket.observer = null;\n    this.#socket.terminate();',
    to: '',
  },
  {
    name: 'stalled forever',
    fault: 'A peer that accepts nothing is waited for without a limit.',
    file: backpressure,
    from: "else this.#connection.end('slow-consumer');",
    to: '',
  },
  // What pools, children of a supervisor, and pages rely on.
  {
    name: 'dead checkout',
    fault: 'A pool hands out a connection that died.',
    file: pool,
    from: 'this.#open.delete(connection);\n    this.#parts.parent?.connectionQuarantined(connection);',
    to: 'this.#parts.parent?.connectionQuarantined(connection);',
  },
  {
    name: 'hammered upstream',
    fault: 'Members of a pool dial a peer whose circuit is open.',
    file: circuit,
    from: 'if (nowMs < this.#openUntilMs) return this.#openUntilMs - nowMs;',
    to: '',
  },
  {
    name: 'crowd of probes',
    fault: 'All members of a pool test at once whether a peer is back.',
    file: circuit,
    from: 'return this.#probe === null ? 0 : PROBE_MS;',
    to: 'return 0;',
  },
  {
    name: 'expired credentials',
    fault: 'A client that renews its credentials is slow after they have expired.',
    file: reconnectPolicy,
    from: 'if (this.#isRenewed && isDenied(ending)) {',
    to: 'if (!this.#isRenewed && isDenied(ending)) {',
  },
  {
    name: 'uncounted connection',
    fault: 'A supervisor does not count the connections that its clients and pools have dialed.',
    file: children,
    from: 'this.#parts.registry.dialedMoved(connection, from, to);',
    to: '',
  },
  {
    name: 'orphaned handlers',
    fault: 'A drain ends dialed connections while accepted ones still need them.',
    file: supervisor,
    from: 'if (!isServing) this.#drain.stopServices();',
    to: 'this.#drain.stopServices();',
  },
  {
    name: 'frozen page alive',
    fault: 'A page that answers pings but no beats counts as alive.',
    file: appHeartbeat,
    from: "this.#connection.chart.send('beat.missed');",
    to: '',
  },
];
