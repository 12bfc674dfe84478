import type { ConnectionFact, ConnectionOrders } from '../../machines/connection-contract.ts';
import type { ChartRunner } from '../chart/runner.ts';
import type { ConnectionState, SendResult } from '../core/connection.ts';
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
  readonly chart: Pick<ChartRunner<ConnectionFact['type']>, 'send'>;
  readonly state: ConnectionState;
  /** Whether messages may pass in both directions now. */
  readonly isOpen: boolean;
  /**
   * The time of the wheel in milliseconds, without the time in which the application or its handlers paused reading.
   */
  readonly readingMs: number;
  /** The part of the time left out of `readingMs` in which only handlers paused. */
  readonly handlersPausedMs: number;
  readonly heartbeat: { resumed(): void } | null;
  /** Delivers a message. Returns the result of its handler, which may be a promise. */
  arrived(payload: Uint8Array, isBinary: boolean): unknown;
  /** The backlog is lost, including a close frame of this side that waits behind it. */
  backlogLost(): void;
  /** Shuts the gate and leaves registry and topics. Returns whether the gate was open. */
  quarantine(): boolean;
  /** Ends the connection for a cause of this side. Returns whether this call ended it. */
  end(cause: LocalEndingCause, error?: Error): boolean;
  /** The option `random` threw within a step. The error is reported when the chart has settled. */
  randomErrored(error: Error): void;
}

/** The other end, as far as it is known at the start. */
export interface Target {
  readonly address: string;
  /** The requested path, without its query. */
  readonly path: string;
}

/** The part of a connection that differs between accepted and dialed connections. */
export interface ConnectionSide
  extends Pick<ConnectionOrders, 'upgrade' | 'refuseUpgrade' | 'refuseWithClose' | 'dial'> {
  readonly transport: Transport;
  /** The connection has opened. Messages may be sent from now on. */
  opened(): void;
  /** A message arrived, valid or not. */
  messageHeard(): void;
  /** Whether the peer is Mooring: both have agreed on its subprotocol. */
  readonly isMooring: boolean;
  /** Whether headings may be sent. A client waits for the first beat of its server. */
  readonly isGreeted: boolean;
  /** Sends a heading, and the message that belongs to it. */
  write(heading: string, payload?: string | Uint8Array): SendResult;
  /** Whether messages are held back, because `onOpen` has not settled. The dialing side holds them back after its contract. */
  readonly holdsMessages: boolean;
  /** Whether requests are held back, because `onOpen` has not settled. */
  readonly holdsRequests: boolean;
  /** Delivers a message, of so many bytes, when `onOpen` has settled. */
  hold(deliver: () => unknown, bytes: number): void;
  /** This side waits for another number of answers of the peer. */
  answersAwaited(): void;
  /** Acts on a beat, a heading or a heartbeat. Returns whether the message is one, which the application does not get. */
  takeOwn(payload: Uint8Array, isBinary: boolean): boolean;
  /** No reason to pause reading is left. Called before more is read. */
  readingResumed(): void;
  /** Writes accepted messages now, before the WebSocket writes a frame of its own. */
  flush(): void;
  /** Writes accepted messages if that is still possible, and accepts no more. */
  stopSending(): void;
  /** The connection has ended: messages that have not left are lost. */
  endSending(): void;
  /** The deadline for opening has passed. */
  handshakeExpired(): void;
  /** Describes why the connection never opened. */
  describeFailure(): FailureDescription;
  /** The connection is over: releases everything. */
  letGo(): void;
}
