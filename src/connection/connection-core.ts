import type { ConnectionFact, ConnectionOrders } from '../../machines/connection-contract.ts';
import type { ChartRunner } from '../chart/runner.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { FailureDescription } from '../core/failure.ts';
import type { MessageReceiver, Transport } from '../transport/transport.ts';
import type { EndingRecord } from './ending-record.ts';
import type { LocalEndingCause } from './endings.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/** A connection as its parts see it. */
export interface ConnectionCore extends MessageReceiver {
  readonly context: SharedRuntime;
  readonly transport: Transport;
  readonly side: ConnectionSide;
  readonly record: EndingRecord;
  /** Takes the facts. */
  readonly chart: Pick<ChartRunner<ConnectionFact['type']>, 'send'>;
  readonly state: ConnectionState;
  /** Whether it may be written to and heard right now. */
  readonly isOpen: boolean;
  /** Time in the wheel's milliseconds, without that in which the application or its handlers paused reading. */
  readonly readingMs: number;
  /** How much of the time that `readingMs` leaves out handlers alone have paused. */
  readonly handlersPausedMs: number;
  readonly heartbeat: { resumed(): void } | null;
  /** A message may be delivered. Returns what its handler returned: a promise while it is at work. */
  arrived(payload: Uint8Array, isBinary: boolean): unknown;
  /** The backlog is lost, and a close frame of ours that waits behind it. */
  backlogLost(): void;
  /** Shuts the gate and leaves registry and topics. Returns whether the gate was open. */
  quarantine(): boolean;
  /** Ends it for a cause of our own. Returns whether this call did. */
  end(cause: LocalEndingCause, error?: Error): boolean;
  /** The user's `random` threw, within a transition: it is reported when the chart has settled. */
  randomErrored(error: Error): void;
}

/** The other end, as far as it is known at the start. */
export interface Target {
  readonly address: string;
  /** The path asked for, without its query. */
  readonly path: string;
}

/** The part of a connection that differs between accepted and dialed connections. */
export interface ConnectionSide
  extends Pick<ConnectionOrders, 'upgrade' | 'refuseUpgrade' | 'refuseWithClose' | 'dial'> {
  readonly transport: Transport;
  /** It opened. Messages may be sent from now on. */
  opened(): void;
  /** A message arrived, valid or not. */
  messageHeard(): void;
  /** Answers a beat of the peer. Returns whether the message is a beat, or another sign of life that the application does not get. */
  handleHeartbeat(payload: Uint8Array, isBinary: boolean): boolean;
  /** Nothing pauses reading any more. Called before more is read. */
  readingResumed(): void;
  /** Writes accepted messages now, before the WebSocket writes a frame of its own. */
  flush(): void;
  /** Writes accepted messages if that is still possible, and accepts no more. */
  stopSending(): void;
  /** The connection has ended: messages that have not left are lost. */
  endSending(): void;
  /** The time for opening is up. */
  handshakeExpired(): void;
  /** Says why it never opened. */
  describeFailure(): FailureDescription;
  /** It is over: releases everything. */
  letGo(): void;
}
