import type { Socket } from 'node:net';
import type { NodeClientOptions } from '../../src/client/index.ts';
import type { CloseVerdict, SendResult } from '../../src/index.ts';
import type { RawEnd } from './raw-end.ts';

/** What a test may change about a pair, whichever side dialed. */
export interface PairOptions
  extends Pick<NodeClientOptions, 'codec' | 'heartbeat' | 'limits' | 'timeouts'> {
  /** Whether the peer keeps its side of TCP when Mooring has ended its own. */
  readonly lingers?: boolean;
}

/** What one test expects of its one open connection. */
export type ExpectedVerdict = Partial<Omit<CloseVerdict, 'openMs' | 'bytesIn' | 'bytesOut'>> & {
  /** The states of its chart, in the order of entry, starting with the one after `open`. */
  states?: readonly string[];
};

/** A connection of Mooring and the raw peer at its other end, over loopback. */
export interface Pair {
  readonly peer: RawEnd;
  /** The socket of Mooring. */
  readonly raw: Socket;
  /** The messages that were delivered. */
  readonly messages: readonly unknown[];
  /** The states that the chart has entered. */
  readonly states: readonly string[];
  readonly isOpen: boolean;
  readonly bufferedBytes: number;
  /** The name that ws gives a frame of the peer with a wrong or missing mask. */
  readonly maskError: string;
  /** Sends now, or does not send. */
  send(message: unknown): SendResult;
  /** Closes, and resolves when the connection has ended. */
  close(code?: number, reason?: string): Promise<unknown>;
  onMessage(listener: () => void): void;
  /** Asserts that the one connection ended like this, that this was reported once, and returns the verdict. */
  closedAs(expected: ExpectedVerdict): Promise<CloseVerdict>;
  /** Ends what is left, and asserts that it leaves nothing behind. */
  end(): Promise<void>;
}
