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
  readonly socketEvents: { sendErrored(error: Error): void };
  /** A message may be delivered. Returns what its handler returned: a promise while it is at work. */
  arrived(payload: Uint8Array, isBinary: boolean): unknown;
  /** Shuts the gate and leaves registry and topics. Returns whether the gate was open. */
  quarantine(): boolean;
  /** Ends it for a cause of our own. Returns whether this call did. */
  end(cause: LocalEndingCause, error?: Error): boolean;
  /** The user's `random` threw, within a transition: it is reported when the chart has settled. */
  randomErrored(error: Error): void;
}

/** Who is on the other end, as far as it is known from the start. */
export interface Target {
  readonly address: string;
  /** The path asked for, without its query. */
  readonly path: string;
}

/** What accepting and dialing do each in their own way. Each connection has one of the two as a part. */
export interface ConnectionSide
  extends Pick<ConnectionOrders, 'upgrade' | 'refuseUpgrade' | 'refuseWithClose' | 'dial'> {
  readonly transport: Transport;
  /** It opened; its messages may be sent from now on. */
  opened(): void;
  /** A message arrived, whatever is in it. */
  messageHeard(): void;
  /** Answers a beat of the peer. Returns whether the message is one, and so nothing for the application. */
  takesBeat(payload: Uint8Array, isBinary: boolean): boolean;
  /** Messages that were accepted leave before the WebSocket writes something by itself. */
  flush(): void;
  /** Messages for the peer that were accepted leave, if they still can; no more are accepted. */
  stopSending(): void;
  /** The time for opening is up. */
  handshakeExpired(): void;
  /** Why it never opened. */
  describeFailure(): FailureDescription;
  /** It is over: nothing is held any more. */
  letGo(): void;
}
