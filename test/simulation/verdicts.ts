import { Chart, type ChartState } from '../../src/chart/chart.ts';
import { connectionTable } from '../../src/chart/tables/connection.ts';
import type { Failure, FailureCause } from '../../src/core/failure.ts';
import type { Trail } from '../../src/core/trail.ts';
import type { CloseCause, CloseVerdict } from '../../src/core/verdict.ts';
import type { Deed, SimulatedLife } from './life.ts';
import type { SimulationWorld } from './world.ts';

/** The acts that explain a verdict: one of each list must have happened. An empty list requires nothing. */
const deedsFor: Readonly<Record<CloseCause, readonly Deed[]>> = {
  close: ['closed'],
  drain: ['drained'],
  terminate: ['terminated'],
  fail: ['failed'],
  'handler-error': ['handler threw'],
  crash: ['transport broke'],
  'welcome-timeout': ['welcome hung'],
  'handler-stalled': ['handler hung'],
  // Clients are not simulated: only they have these three causes.
  'reader-too-slow': [],
  silent: [],
  'connection-lost': [],
  expired: ['let in for a while'],
  'invalid-message': ['peer sent nonsense'],
  // Input that waited while nothing was read arrives at once.
  'message-rate': ['peer flooded messages', 'welcome hung', 'loop was stuck'],
  'slow-consumer': ['peer read slowly', 'sent what must not be missed'],
  replaced: ['replaced'],
  'heartbeat-timeout': ['peer was silent'],
  'ping-flood': ['peer flooded pings'],
  'peer-close': ['peer closed'],
  'close-timeout': ['closed', 'drained'],
  'protocol-error': ['peer violated'],
  // Simulated messages arrive whole.
  'message-limit': [],
  'message-timeout': [],
  overload: [],
  // No topic of the simulation is durable.
  'missed-messages': [],
  'send-error': ['peer broke', 'socket destroyed', 'peer ended'],
  'tcp-fin': ['peer ended'],
  'tcp-fin-backlog': ['peer ended'],
  'tcp-reset': ['peer reset'],
  'tcp-timeout': ['peer timed out'],
  'tcp-error': ['peer broke'],
  'taken-away': ['socket destroyed'],
  unknown: ['error came late'],
};

const CLOSED = 3;

/** How many facts a trail keeps. */
const FACTS_MAX = 16;

type Rule = (
  life: SimulatedLife,
  verdict: CloseVerdict,
  world: SimulationWorld,
) => string | false | undefined;

/** Checks the contents of a verdict against what the sockets saw. Each check returns the fault, if there is one. */
const rules: readonly Rule[] = [
  ({ deeds }, { cause }) =>
    !deedsFor[cause].some((deed) => deeds.has(deed)) &&
    `but only: ${[...deeds].join(', ') || 'nothing'}`,
  ({ webSocket }, { code, cause }) =>
    cause !== 'protocol-error' && webSocket?.closeCode !== code && `${webSocket?.closeCode} came`,
  // Input that a destroyed socket still holds is read after its close, too late to be the cause.
  ({ webSocket }, { cause }) =>
    cause !== 'taken-away' &&
    (webSocket?.violation !== undefined) !== (cause === 'protocol-error') &&
    'a violation',
  ({ webSocket }, { cause }) => webSocket?.wasFlooded && cause === 'tcp-fin' && 'a ping flood',
  ({ webSocket }, { clean }) =>
    clean !== (webSocket?.readyState === CLOSED && webSocket.wasClean) && 'both frames or not',
  ({ closeFramesWritten }, { sent }) => sent && closeFramesWritten !== 1 && 'none was sent',
  ({ socket }, { sent }) =>
    sent && socket.closeCodeWritten !== sent.code && `${socket.closeCodeWritten} was sent`,
  ({ closeFramesWritten }, { simultaneous, code, sent }) =>
    simultaneous && (closeFramesWritten !== 1 || code === sent?.code) && 'not simultaneous',
  (_life, { lingered, clean }) => lingered && !clean && 'lingered, but not clean',
  // Opening and closing are reported late where a handler before them blocks the loop.
  ({ openedAtMs }, { openMs }, { clock }) =>
    Math.abs(openMs - Math.round(clock.now() - openedAtMs)) > clock.lostMs &&
    `open for ${openMs} ms`,
  ({ socket }, { bytesIn, bytesOut }) =>
    (bytesIn > socket.bytesRead || bytesOut > socket.bytesWritten || bytesIn < 0) && 'its bytes',
];

const chart = new Chart(connectionTable);

/** A trail that still has its beginning leads from the first state of the chart to the last. */
function checkTrail(
  world: SimulationWorld,
  life: SimulatedLife,
  trail: Trail,
  cause: string,
): void {
  const facts = trail.map(({ fact }) => fact);
  const broken = () => world.broken('trail-leads-to-the-end', `${cause}: ${facts.join()}`, life);
  if (trail.some(({ atMs }, index) => atMs > (trail[index + 1]?.atMs ?? atMs))) broken();
  if (facts.length === FACTS_MAX) return;
  let state: ChartState | undefined = chart.start.to;
  for (const fact of facts) state = state?.transition(fact)?.to;
  // A chart that crashed stops anywhere. The verdict may have another cause, which was known before.
  const mayStop = cause === 'crash' || life.deeds.has('transport broke');
  if (state === undefined || !(mayStop || state.isFinal)) broken();
}

/** Checks whether a verdict agrees with what actually happened on the wire. */
export function checkVerdict(
  world: SimulationWorld,
  life: SimulatedLife,
  verdict: CloseVerdict,
): void {
  checkTrail(world, life, verdict.trail, verdict.cause);
  for (const rule of rules) {
    const problem = rule(life, verdict, world);
    if (typeof problem !== 'string') continue;
    const { cause, code, clean } = verdict;
    world.broken('verdict-is-true', `${cause} ${code}${clean ? ' clean' : ''}: ${problem}`, life);
  }
}

const refusals: ReadonlySet<FailureCause> = new Set([
  'bad-request',
  'wrong-method',
  'wrong-version',
  'wrong-path',
  'wrong-host',
  'wrong-origin',
  'wrong-subprotocol',
  'unauthorized',
  'refused',
  'authenticate-error',
  'connections-max',
  'address-max',
  'address-rate',
  'accept-rate',
  'suspended',
  'draining',
  'handshake-timeout',
]);

/** Causes for which a request may be refused before a connection is created. */
const judgements: ReadonlySet<FailureCause> = new Set<FailureCause>([
  'bad-request',
  'wrong-method',
  'wrong-version',
  'wrong-path',
  'wrong-host',
  'wrong-origin',
  'wrong-subprotocol',
  'connections-max',
  'address-max',
  'address-rate',
  'accept-rate',
  'suspended',
  'draining',
  'crash',
]);

/** Whether a request was refused before a connection was created: it has no facts. */
export function isJudged({ cause, trail }: Failure): boolean {
  return trail.length === 0 && judgements.has(cause);
}

/** Checks whether a failure agrees with what actually happened before the connection could open. */
export function checkFailure(
  world: SimulationWorld,
  life: SimulatedLife,
  { cause, httpStatus, closeCode, trail }: Failure,
): void {
  if (!life.isJudged) checkTrail(world, life, trail, cause);
  const answers = [httpStatus, closeCode].filter((answer) => answer !== undefined);
  if (answers.length !== (refusals.has(cause) ? 1 : 0)) {
    world.broken('failure-is-true', `${cause} with ${answers.join(' and ') || 'no answer'}`, life);
  }
  if (closeCode !== undefined && life.socket.closeCodeWritten !== closeCode) {
    world.broken('failure-is-true', `${life.socket.closeCodeWritten} was sent`, life);
  }
  if (cause === 'crash' && !life.deeds.has('transport broke')) {
    world.broken('failure-is-true', 'nothing broke', life);
  }
  if (cause === 'taken-away' && !(life.isShadow || life.deeds.has('socket destroyed'))) {
    world.broken('failure-is-true', 'its socket is its own', life);
  }
}
