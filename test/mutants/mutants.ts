import { clientMutants } from './client-mutants.ts';
import type { Mutant } from './mutant.ts';
import { topicMutants } from './topic-mutants.ts';

const chart = 'machines/connection.ts';
const connection = 'src/connection/managed-connection.ts';
const socketEvents = 'src/connection/socket-events.ts';
const outbox = 'src/connection/outbox.ts';
const acceptor = 'src/server/acceptor.ts';
const supervisor = 'src/server/supervisor.ts';
const handlers = 'src/server/handlers.ts';
const wheel = 'src/core/timer-wheel.ts';
const inbound = 'src/server/inbound-connection.ts';
const appHeartbeat = 'src/server/app-heartbeat.ts';
const nodeTransport = 'src/transport/node-transport.ts';
const upgradeServer = 'src/server/upgrade-server.ts';
const authentication = 'src/server/authentication.ts';

/** Every fault that the tests are known to find, ordered by what it breaks. */
export const mutants: readonly Mutant[] = [
  // Reports.
  {
    name: 'closed before open',
    fault: 'A client that leaves during the handshake is reported as closed.',
    file: chart,
    from: "'peer.abandoned': 'failed',",
    to: "'peer.abandoned': 'closed',",
  },
  {
    name: 'failed after open',
    fault: 'An error of an open connection is reported as a failure to open.',
    file: chart,
    from: "'socket.errored': 'errored',",
    to: "'socket.errored': 'failed',",
  },
  {
    name: 'double report',
    fault: 'The end of a connection is reported twice.',
    file: connection,
    from: "this.#report('closed');",
    to: "this.#report('closed'); this.#report('closed');",
  },
  {
    name: 'lost reason',
    fault: "The reason in the peer's close frame is thrown away.",
    file: socketEvents,
    from: "reason: reason === undefined ? '' : textOf(reason)",
    to: "reason: ''",
  },
  {
    name: 'disposer twice',
    fault: 'A disposer may run for the end and again for a late `onOpen`.',
    file: handlers,
    from: 'if (!this.#welcomes.delete(connection)) return undefined;',
    to: '',
  },
  // Recipients.
  {
    name: 'registry before open',
    fault: 'A connection is in the registry while it is still being admitted.',
    file: acceptor,
    from: 'this.#parts.registry.moved(connection, from, to);',
    to: 'this.#parts.registry.moved(connection, from, to); if (from === null) this.#parts.registry.enter(connection);',
  },
  {
    name: 'quarantine lost',
    fault: 'A connection that died stays in the registry.',
    file: acceptor,
    from: 'this.#parts.registry.leave(connection);',
    to: '',
  },
  {
    name: 'dead members',
    fault: 'A connection that died stays a member of its topics.',
    file: acceptor,
    from: 'this.#parts.broadcaster.topics.leaveAll(connection);',
    to: '',
  },
  {
    name: 'question before deadline',
    fault: 'A page that leaves while it is asked for a sign of life leaves a timer behind.',
    file: appHeartbeat,
    from: 'this.#look(this.#context.heartbeat.graceMs);\n    this.#connection.side.outbox?.send(request);\n  }',
    to: 'this.#connection.side.outbox?.send(request);\n    this.#look(this.#context.heartbeat.graceMs);\n  }',
  },
  {
    name: 'stopped before the others',
    fault: 'A supervisor reports its end before the ends of the connections that it dialed.',
    file: supervisor,
    from: 'this.#charts.notifications.addLast(() => this.#conclude());',
    to: 'this.#notify(() => this.#conclude());',
  },
  {
    name: 'error before quarantine',
    fault: 'User code gets an error while the dead connection can still be found.',
    file: socketEvents,
    from: "this.connection.backlogLost();\n    this.connection.quarantine();\n    this.connection.chart.send('socket.errored');",
    to: "this.connection.backlogLost();\n    this.connection.chart.send('socket.errored');\n    this.connection.quarantine();",
  },
  {
    name: 'stale audience',
    fault: 'A fan-out writes to members that left or died during it.',
    file: 'src/server/fan-out.ts',
    from: 'if (isThere(connection)) write(publication, connection);',
    to: 'write(publication, connection);',
  },
  {
    name: 'gate missing',
    fault: 'Messages are delivered after the connection was abandoned.',
    file: connection,
    from: 'may have ended it.\n    if (!this.#gateOpen) return;',
    to: 'may have ended it.',
  },
  {
    name: 'send after close',
    fault: 'Messages are written to a connection that was abandoned.',
    file: inbound,
    from: 'if (!connection.isOpen || !(this.#outbox?.hasBatch || this.transport.isWritable)) return null;',
    to: 'if (this.#outbox === null && !this.transport.isWritable) return null;',
  },
  {
    name: 'early messages',
    fault: 'Messages are delivered before `onOpen` has settled.',
    file: inbound,
    from: 'if (!this.#awaitsAnswers) this.transport.pause();',
    to: '',
  },
  // Detection.
  {
    name: 'half-close ignored',
    fault: 'A peer that ends its side is treated as silent.',
    file: socketEvents,
    from: "this.connection.record.note({ ended: true });\n    this.connection.quarantine();\n    this.connection.chart.send(\n      this.connection.transport.isBound ? 'socket.ended' : 'peer.abandoned',\n    );",
    to: '',
  },
  {
    name: 'write error ignored',
    fault: 'A write that fails is not reported.',
    file: 'src/connection/socket-events.ts',
    from: 'if (!this.connection.quarantine()) return;\n    this.connection.record.noteSendError',
    to: 'return;\n    this.connection.record.noteSendError',
  },
  {
    name: 'crash unnoticed',
    fault: 'A chart that threw leaves its socket behind.',
    file: 'src/chart/runner.ts',
    from: '    this.#owner.chartCrashed(error);',
    to: '',
  },
  {
    name: 'handler throws through',
    fault: 'An error that a handler throws reaches the library.',
    file: 'src/core/guard.ts',
    from: 'report(toError(thrown));\n    return undefined;',
    to: 'throw thrown;',
  },
  {
    name: 'deaf heartbeat',
    fault: 'Pongs do not count as proof of life.',
    file: 'src/transport/supervised-socket.ts',
    from: 'observer?.connection.heard();',
    to: '',
  },
  {
    name: 'heartbeat that never judges',
    fault: 'A peer that vanishes silently stays open forever.',
    file: 'src/connection/heartbeat.ts',
    from: "this.#connection.end('heartbeat-timeout');",
    to: 'this.#look(this.#context.heartbeat.graceMs);',
  },
  // Limits.
  {
    name: 'deadline missing',
    fault: 'A closing handshake may take forever.',
    file: chart,
    from: "entry: ['sendClose', { type: 'startDeadline', params: { name: 'close' } }],",
    to: "entry: 'sendClose',",
  },
  {
    name: 'endless welcome',
    fault: 'An `onOpen` that never settles holds its connection forever.',
    file: inbound,
    from: "this.#welcome = wheel.schedule(timeouts.welcomeMs, this, 'welcome');",
    to: 'void wheel; void timeouts;',
  },
  {
    name: 'heartbeat in a stalled loop',
    fault: 'Time in which the event loop stands still counts against the peers.',
    file: wheel,
    from: 'return Math.min(this.#clock.now() - this.#advancedAt, TICKS_PER_TURN_MAX * this.tickMs);',
    to: 'return this.#clock.now() - this.#advancedAt;',
  },
  {
    name: 'judged before reading',
    fault: 'Deadlines are judged before waiting input has been read.',
    file: wheel,
    from: 'this.#clock.afterPoll(() => this.#advance());',
    to: 'this.#advance();',
  },
  {
    name: 'endless outbox',
    fault: 'A slow reader is buffered without a limit.',
    file: outbox,
    from: 'this.#backpressure.backlogGrew(bufferedBytes);',
    to: '',
  },
  {
    name: 'congested forever',
    fault: 'A peer that has caught up gets no more messages.',
    file: outbox,
    from: '    else this.#backpressure.backlogShrank();\n',
    to: '',
  },
  {
    name: 'forgotten turn',
    fault: 'The batch that a turn has collected for its members never leaves.',
    file: 'src/connection/write-batcher.ts',
    from: 'runEach(waiting, (outbox) => outbox.flush());',
    to: '',
  },
  {
    name: 'overtaking',
    fault: 'A direct message leaves before an earlier publication.',
    file: outbox,
    from: 'if (this.#batch !== null || this.#turn === writeBatcher.number) return this.publish(frame);',
    to: 'if (this.#turn === writeBatcher.number) return this.publish(frame);',
  },
  {
    name: 'pong first',
    fault: 'A pong leaves before the answers to messages that came before its ping.',
    file: 'src/connection/socket-events.ts',
    from: 'this.connection.side.flush();',
    to: '',
  },
  {
    name: 'drain that waits',
    fault: 'A drain does not destroy connections that do not close by themselves.',
    file: 'src/connection/drain.ts',
    from: 'this.each(left, destroy);',
    to: '',
  },
  // Release of resources.
  {
    name: 'leaked timer',
    fault: 'The deadline of a state outlives its connection.',
    file: connection,
    from: 'this.side.endSending();\n    this.#deadline = this.#host.context.wheel.cancel(this.#deadline);',
    to: 'this.side.endSending();',
  },
  {
    name: 'leaked heartbeat',
    fault: 'The heartbeat of a connection outlives it.',
    file: connection,
    from: 'this.heartbeat?.stop();',
    to: '',
  },
  {
    name: 'leaked listener',
    fault: 'A listener stays on a socket that was released.',
    file: nodeTransport,
    from: "socket.off('end', socketOnEnd);",
    to: '',
  },
  {
    name: 'leaked reference',
    fault: 'A connection that has ended still holds its socket.',
    file: inbound,
    from: 'this.#appHeartbeat = null;\n    this.transport.release();',
    to: 'this.#appHeartbeat = null;',
  },
  ...clientMutants,
  ...topicMutants,
  // The surroundings of a supervisor.
  {
    name: 'neighbour unnoticed',
    fault: 'The peer is blamed for bytes that another part of the process wrote to the socket.',
    file: nodeTransport,
    from: '|| this.bytesOut > this.#written;',
    to: ';',
  },
  {
    name: 'unserved reset',
    fault: 'A reset of an upgrade request that no server handles ends the process.',
    file: upgradeServer,
    from: 'ignoreErrors(socket);\n    this.#listeners',
    to: 'this.#listeners',
  },
  {
    name: 'unserved, unanswered',
    fault: 'An upgrade request that no server handles is never answered.',
    file: upgradeServer,
    from: 'else if (!this.#isTouched) this.#refuse();',
    to: 'else if (!this.#isTouched) return;',
  },
  {
    name: 'body lost',
    fault: 'A request that is handed back loses the part of its body that came with its head.',
    file: upgradeServer,
    from: "Buffer.concat([Buffer.from(headOf(request), 'latin1'), head])",
    to: "Buffer.concat([Buffer.from(headOf(request), 'latin1'), head.subarray(0, 0)])",
  },
  {
    name: 'admitted without a peer',
    fault: 'A client is admitted although `authenticate` returned no peer.',
    file: authentication,
    from: 'return result === undefined || result === null || result === false;',
    to: 'return false;',
  },
  {
    name: 'pieces kept',
    fault: 'One byte of an unfinished message keeps its whole read of 64 KiB in memory.',
    file: 'src/transport/reassembly.ts',
    from: 'if (isCostly || (isBlock && pieces.length - blocks > 1)) {',
    to: 'if (isBlock && pieces.length - blocks > 1) {',
  },
  {
    name: 'pongs buy time',
    fault: 'A message is never late while pongs come between its fragments.',
    file: 'src/transport/reassembly.ts',
    from: 'if (this.#receiver._fragmented === 0) this.#isNext = true;',
    to: 'this.#isNext = true;',
  },
  {
    name: 'no room made',
    fault: 'Unfinished messages of all connections together exceed their limit.',
    file: 'src/transport/reassembly.ts',
    from: 'oldest.makeRoom();',
    to: 'return;',
  },
];
