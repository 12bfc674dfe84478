import type { AnyActorRef } from 'xstate';
import type { ConnectionCondition } from '../../machines/connection-contract.ts';
import type { Clock } from '../core/clock.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { HeartbeatOptions, Limits, OverRatePolicy, Timeouts } from '../core/limits.ts';
import type { TimerWheel } from '../core/timer-wheel.ts';
import type { Rate } from '../core/token-bucket.ts';
import type { Phases } from './phases.ts';
import type { Port } from './port.ts';
import type { ReadTurns } from './read-turns.ts';
import type { ReportGate } from './report-gate.ts';
import type { Turn } from './turn.ts';
import type { UnfinishedMessages } from './unfinished.ts';

/** What a port has to tell, once its chart has settled. */
export type PortReport =
  | 'opened'
  | 'errored'
  | 'closing'
  | 'closed'
  | 'failed'
  | ConnectionCondition;

/** Everything that the ports of one supervisor share. */
export interface PortContext {
  readonly clock: Clock;
  readonly phases: Phases;
  readonly wheel: TimerWheel;
  readonly turn: Turn;
  readonly reports: ReportGate;
  /** Whether somebody watches every step of every chart. */
  readonly isInspected: boolean;
  readonly timeouts: Readonly<Timeouts>;
  readonly heartbeat: Readonly<HeartbeatOptions>;
  readonly limits: Readonly<Limits>;
  readonly messageRate: Rate;
  readonly overRate: OverRatePolicy;
  readonly unfinished: UnfinishedMessages;
  readonly readTurns: ReadTurns;
}

/** What a port needs of the supervisor it belongs to. */
export interface PortHost {
  readonly context: PortContext;
  /** The parent of every connection's actor. */
  readonly actor: AnyActorRef;
  /** The port has another state; `from` is `null` for a new one. */
  portMoved(port: Port, from: ConnectionState | null, to: ConnectionState): void;
  /** The user's `random` threw. User code must not run yet. */
  randomErrored(error: Error): void;
  /** The port has opened: it may enter the registry. */
  portOpened(port: Port): void;
  /** The port must be forgotten everywhere, before any other code runs. */
  portQuarantined(port: Port): void;
  /** Something is to be told to the outside; the port's chart has settled. */
  portReported(port: Port, report: PortReport): void;
  /** A message arrived and may be delivered. Returns what its handler returned: a promise while it is at work. */
  messageArrived(port: Port, payload: Uint8Array, isBinary: boolean): unknown;
}
