import type { FakeSocket } from './fake-socket.ts';

/**
 * What is written to a fake socket. `data` is what the code under test wrote to the raw socket itself; each question of the
 * beat in it counts again, as `beat`.
 */
export type FakeFrameKind = 'data' | 'beat' | 'ping' | 'pong' | 'close';

/** What reaches a fake socket in one chunk. */
export interface FakeChunk {
  readonly bytes: number;
  /** Reads its frames, one each; a reader that pauses in between gets the rest when it resumes. */
  readonly frames: readonly ((reader: FakeReader) => void)[];
}

/** The WebSocket above a fake socket, as far as the socket knows it. */
export interface FakeReader {
  readMessage(payload: Buffer, isBinary: boolean): void;
  /** A question or an answer of the beat, which is a message for ws. */
  readBeat(payload: string): void;
  readPing(): void;
  readPong(): void;
  /** A close frame; code 1005 for an empty one. */
  readClose(code: number, reason: string): void;
  /** Bytes that break the protocol, for which ws answers with this status. */
  readViolation(status: number): void;
}

/** The other end of a fake socket. It is told at once; how long it takes to notice is its own business. */
export interface FakeOtherEnd {
  /** The kernel holds bytes that it may take. */
  bytesWaiting(): void;
  /** This side has ended and everything before it has left. */
  ended(): void;
  /** This side has destroyed the socket. */
  destroyed(): void;
}

/** What happens to a fake socket from outside. */
export type FakeSign =
  | 'error'
  | 'end'
  | 'close'
  | 'send-error'
  | 'close-frame'
  | 'violation'
  | 'ping-flood'
  | 'message'
  | 'beat';

/** Sees what happens between a fake socket and the code under test. */
export interface FakeSocketWatcher {
  /** The code under test wrote; what waited before is still counted by `writableLength`. */
  wrote(socket: FakeSocket, kind: FakeFrameKind, bytes: Uint8Array | string | number): void;
  /** The code under test is about to be told. */
  telling(socket: FakeSocket, sign: FakeSign): void;
  /** The code under test was told, and has returned. */
  told(socket: FakeSocket, sign: FakeSign): void;
  /** The code under test threw. */
  threw(socket: FakeSocket, sign: FakeSign, error: unknown): void;
}

/** How a fake socket differs from a well-behaved one. */
export interface FakeSocketQuirks {
  /** Bytes that the kernel takes before they pile up in the process. @default 65_536 */
  kernelBytes?: number;
  /** `close` is emitted before `error`; Node.js never does so. */
  closesFirst?: boolean;
  /** `close` is emitted twice. */
  closesTwice?: boolean;
  /** How long it takes from being destroyed to `close`, in milliseconds; infinite for never. @default 0 */
  closeMs?: number;
  /** How long a reset is known to the kernel, and to writes, before it is read, in milliseconds. */
  resetReadMs?: number;
  remoteAddress?: string;
}
