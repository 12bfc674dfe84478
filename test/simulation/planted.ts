import { Chart, type Transition } from '../../src/chart/chart.ts';
import { FlightRecorder } from '../../src/chart/flight-recorder.ts';
import { ChartRunner } from '../../src/chart/runner.ts';
import { Backpressure } from '../../src/connection/back-pressure.ts';
import { Drain } from '../../src/connection/drain.ts';
import { Heartbeat } from '../../src/connection/heartbeat.ts';
import { Intake } from '../../src/connection/intake.ts';
import { ManagedConnection } from '../../src/connection/managed-connection.ts';
import { Outbox } from '../../src/connection/outbox.ts';
import { SocketEvents } from '../../src/connection/socket-events.ts';
import { WriteBatcher } from '../../src/connection/write-batcher.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { Acceptor } from '../../src/server/acceptor.ts';
import { AppHeartbeat } from '../../src/server/app-heartbeat.ts';
import { FanOut } from '../../src/server/fan-out.ts';
import { Handlers } from '../../src/server/handlers.ts';
import { Inbound, type InboundConnection } from '../../src/server/inbound-connection.ts';
import { Keys } from '../../src/server/keys.ts';
import { Registry } from '../../src/server/registry.ts';
import { TopicAudience, Topics } from '../../src/server/topics.ts';
import { NodeTransport } from '../../src/transport/node-transport.ts';
import { FakeWebSocket } from './fake-web-socket.ts';

type Method = (...args: never[]) => unknown;
type Broken = (this: never, original: Method, ...args: never[]) => unknown;

/** A possible mistake, and the rules that it breaks. */
export interface PlantedFault {
  readonly mistake: string;
  /** Makes the mistake. Returns a function that undoes it. */
  readonly plant: () => () => void;
  /** The names of rules. One of them must be found broken. */
  readonly breaks: readonly string[];
}

/** Replaces a method of production code. */
export function instead(prototype: object, name: string, broken: Broken): () => () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
  const method = original.value as Method;
  const value = function (this: never, ...args: never[]): unknown {
    return broken.call(this, method.bind(this) as Method, ...args);
  };
  return () => {
    Object.defineProperty(prototype, name, { ...original, value });
    return () => Object.defineProperty(prototype, name, original);
  };
}

export function insteadOfGetter(
  prototype: object,
  name: string,
  get: (this: never) => unknown,
): () => () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor;
  return () => {
    Object.defineProperty(prototype, name, { ...original, get });
    return () => Object.defineProperty(prototype, name, original);
  };
}

const outboxes = new WeakMap<Inbound, Outbox>();
const outboxNow = Object.getOwnPropertyDescriptor(Inbound.prototype, 'outbox')?.get;

/** The outbox that a connection had while its gate was open. */
function lastOutbox(this: Inbound): Outbox | null {
  const outbox = outboxNow?.call(this) as Outbox | null;
  if (outbox !== null) outboxes.set(this, outbox);
  return outboxes.get(this) ?? null;
}

/** Makes two mistakes together. */
export function both(one: () => () => void, other: () => () => void): () => () => void {
  return () => {
    const restoreOne = one();
    const restoreOther = other();
    return () => {
      restoreOther();
      restoreOne();
    };
  };
}

const nothing: Broken = () => {};

/** Does it twice. */
const twice: Broken = (original, ...args) => {
  original(...args);
  return original(...args);
};

const OUT = ['out-of-registry-at-once', 'out-of-registry-before-user-code'];

export const plantedFaults: readonly PlantedFault[] = [
  {
    mistake: 'quarantine leaves the connection in the registry',
    plant: instead(Registry.prototype, 'leave', nothing),
    breaks: OUT,
  },
  {
    mistake: 'quarantine leaves the connection in its topics',
    plant: instead(Topics.prototype, 'leaveAll', nothing),
    breaks: ['topics-hold-the-open'],
  },
  {
    mistake: 'a newer connection with the same key replaces nothing',
    plant: instead(Keys.prototype, 'entered', nothing),
    breaks: ['one-connection-for-each-key'],
  },
  {
    mistake: 'a connection replaces itself',
    plant: instead(Keys.prototype, 'entered', ((_original: Method, connection: never) =>
      (connection as InboundConnection).end('replaced')) as Broken),
    breaks: ['verdict-is-true'],
  },
  {
    mistake: 'the end of the peer is ignored',
    plant: instead(SocketEvents.prototype, 'socketEnded', nothing),
    breaks: OUT,
  },
  {
    mistake: 'an error of the socket is ignored',
    plant: instead(SocketEvents.prototype, 'socketErrored', nothing),
    breaks: OUT,
  },
  {
    mistake: 'a write that failed is ignored',
    plant: instead(SocketEvents.prototype, 'sendErrored', nothing),
    breaks: OUT,
  },
  {
    mistake: 'the heartbeat never judges',
    plant: instead(Heartbeat.prototype, 'deadlinePassed', nothing),
    breaks: ['frozen-peer-is-found'],
  },
  {
    mistake: 'the heartbeat ignores what arrives',
    plant: both(
      instead(Heartbeat.prototype, 'heard', nothing),
      insteadOfGetter(NodeTransport.prototype, 'bytesIn', () => 0),
    ),
    breaks: ['verdict-is-true'],
  },
  {
    mistake: 'the beat ignores what arrives',
    plant: instead(AppHeartbeat.prototype, 'heard', nothing),
    breaks: ['the-awake-are-not-asleep'],
  },
  {
    mistake: 'a beat reaches the application',
    plant: instead(Inbound.prototype, 'takeOwn', () => false),
    breaks: ['beats-are-hidden'],
  },
  {
    mistake: 'a close frame of the peer is ignored',
    plant: instead(SocketEvents.prototype, 'closeReceived', nothing),
    breaks: [...OUT, 'verdict-is-true'],
  },
  {
    mistake: 'a flood of pings is ignored',
    plant: instead(SocketEvents.prototype, 'pingFlooded', nothing),
    breaks: OUT,
  },
  {
    mistake: 'the end of the WebSocket is not awaited',
    plant: instead(NodeTransport.prototype, 'watchClose', nothing),
    breaks: ['verdict-is-true'],
  },
  {
    mistake: 'the outbox never reports that it has drained',
    plant: instead(ChartRunner.prototype, 'send', ((original: Method, fact: never) =>
      fact === 'outbox.drained' ? undefined : original(fact)) as Broken),
    breaks: ['drained-outbox-flows'],
  },
  {
    mistake: 'a peer that reads nothing is awaited',
    plant: instead(Backpressure.prototype, 'deadlinePassed', nothing),
    breaks: ['stalled-peer-is-found'],
  },
  {
    mistake: 'the end is reported twice',
    plant: instead(Acceptor.prototype, 'connectionReported', twice),
    breaks: ['opened-once', 'one-terminal-report', 'reports-in-order', 'nothing-after-the-end'],
  },
  {
    mistake: 'a connection ends without releasing its sockets',
    plant: instead(NodeTransport.prototype, 'release', nothing),
    breaks: ['all-is-released'],
  },
  {
    mistake: 'a close frame that failed counts as sent',
    plant: instead(NodeTransport.prototype, 'sendClose', ((original: Method, frame: never) => {
      original(frame);
      return true;
    }) as Broken),
    breaks: ['verdict-is-true'],
  },
  {
    mistake: 'cancelled deadlines fire all the same',
    plant: instead(TimerWheel.prototype, 'cancel', () => null),
    breaks: ['verdict-is-true', 'no-timer-is-left', 'failure-is-true', 'handlers-in-order'],
  },
  {
    mistake: 'deadlines take twice as long',
    plant: instead(TimerWheel.prototype, 'schedule', ((original: Method, ...args: never[]) => {
      const [delayMs = 0, ...rest] = args as unknown as [number, ...never[]];
      return original((2 * delayMs) as never, ...rest);
    }) as Broken),
    breaks: ['no-state-outlives-its-deadline', 'frozen-peer-is-found', 'drain-ends-in-time'],
  },
  {
    mistake: 'deadlines fire too early',
    plant: instead(TimerWheel.prototype, 'schedule', ((original: Method, ...args: never[]) => {
      const [delayMs = 0, ...rest] = args as unknown as [number, ...never[]];
      return original((delayMs / 8) as never, ...rest);
    }) as Broken),
    breaks: ['verdict-is-true', 'handlers-in-order'],
  },
  {
    mistake: 'handlers of the end are called twice',
    plant: instead(Handlers.prototype, 'closed', twice),
    breaks: ['handlers-once'],
  },
  {
    mistake: 'the resource of authenticate is released at once',
    plant: instead(Handlers.prototype, 'closed', ((original: Method, ...args: never[]) => {
      (args[2] as (() => unknown) | undefined)?.();
      return original(...args);
    }) as Broken),
    breaks: ['handlers-in-order', 'handlers-once'],
  },
  {
    mistake: 'the resource of authenticate is kept when its client never opens',
    plant: instead(Handlers.prototype, 'failed', ((original: Method, failure: never) =>
      original(failure)) as Broken),
    breaks: ['handlers-once'],
  },
  {
    mistake: 'the resource that authenticate took too late is kept',
    plant: instead(Handlers.prototype, 'release', nothing),
    breaks: ['handlers-once'],
  },
  {
    mistake: 'a message is delivered twice',
    plant: instead(Handlers.prototype, 'message', twice),
    breaks: ['messages-in-order', 'every-message-is-delivered'],
  },
  {
    mistake: 'a message is dropped',
    plant: instead(ManagedConnection.prototype, 'arrived', nothing),
    breaks: ['every-message-is-delivered'],
  },
  {
    mistake: 'a pause lets the rest of the read through',
    plant: instead(FakeWebSocket.prototype, 'pause', function (this: FakeWebSocket) {
      this.isPaused = true;
    } as unknown as Broken),
    breaks: ['no-message-while-paused', 'no-message-before-welcome', 'every-message-is-delivered'],
  },
  {
    mistake: 'settled handlers do not resume reading',
    plant: instead(Intake.prototype, 'resume', nothing),
    breaks: ['stalled-handlers-are-found'],
  },
  {
    mistake: 'handlers that never settle are awaited without end',
    plant: instead(Intake.prototype, 'deadlinePassed', nothing),
    breaks: ['stalled-handlers-are-found'],
  },
  {
    mistake: 'a publication is fanned out twice',
    plant: instead(TopicAudience.prototype, 'publish', twice),
    breaks: ['publication-reaches-members-once'],
  },
  {
    mistake: 'a member leaves its shared frames behind when it gets one of its own',
    plant: instead(FanOut.prototype, 'claim', nothing),
    breaks: ['publication-reaches-members-once'],
  },
  {
    mistake: 'a member with frames of its own shares those of its audiences',
    plant: instead(FanOut.prototype, 'setApart', nothing),
    breaks: ['publication-reaches-members-once', 'outbox-is-bounded'],
  },
  {
    mistake: 'a member shares again in the middle of a turn',
    plant: insteadOfGetter(Inbound.prototype, 'isIdle', () => true),
    breaks: ['publication-reaches-members-once', 'outbox-is-bounded'],
  },
  {
    mistake: 'the frames of a turn are forgotten',
    plant: instead(Outbox.prototype, 'flush', nothing),
    breaks: ['publication-reaches-members-once'],
  },
  {
    mistake: 'a publication waits for a later turn',
    plant: instead(WriteBatcher.prototype, 'endLater', nothing),
    breaks: ['publication-reaches-members-once', 'every-flush-settles'],
  },
  {
    mistake: 'the gate does not hold back what is written',
    plant: insteadOfGetter(Inbound.prototype, 'outbox', lastOutbox),
    breaks: ['no-write-after-quarantine', 'no-send-after-quarantine'],
  },
  {
    mistake: 'a drain gives up no connection',
    plant: instead(Drain.prototype, 'expire', nothing),
    breaks: ['drain-ends-in-time'],
  },
  {
    mistake: 'a drain forgets connections that have not reported their end',
    plant: instead(ManagedConnection.prototype, 'abandon', nothing),
    breaks: ['handlers-in-order', 'counts-follow-reports', 'all-comes-to-its-end'],
  },
  {
    mistake: 'counts forget a state',
    plant: instead(Registry.prototype, 'moved', ((original: Method, ...args: never[]) =>
      String(args[2]) === 'closing' ? undefined : original(...args)) as Broken),
    breaks: ['counts-follow-reports'],
  },
  {
    mistake: 'no state has a deadline',
    plant: instead(ManagedConnection.prototype, 'startDeadline', nothing),
    breaks: ['no-state-outlives-its-deadline', 'all-comes-to-its-end'],
  },
  {
    mistake: 'an error of a handler reaches the socket',
    plant: instead(Handlers.prototype, 'run', ((...args: never[]) =>
      (args.at(-1) as unknown as () => unknown)()) as Broken),
    breaks: ['nothing-reaches-the-emitter', 'nothing-reaches-the-process', 'counts-follow-reports'],
  },
  {
    mistake: 'an arrow is not counted',
    plant: instead(Chart.prototype, 'transition', ((original: Method, ...args: never[]) => {
      const transition = original(...args) as Transition | null;
      if (transition === null || args.at(-1) !== 'socket.ended') return transition;
      return Object.defineProperty(transition, 'taken', { get: () => 0, set: () => {} });
    }) as Broken),
    breaks: ['arrows-add-up'],
  },
  {
    mistake: 'the flight recorder mistakes one fact for another',
    plant: instead(FlightRecorder.prototype, 'codeOf', ((original: Method, fact: string) => {
      const codeOf = original as (recorded: string) => number;
      return codeOf(fact === 'socket.ended' ? 'heartbeat.missed' : fact);
    }) as Broken),
    breaks: ['trail-leads-to-the-end'],
  },
];
