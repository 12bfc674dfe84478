import type { FakeSocket } from './fake-socket.ts';

/**
 * What is written to a fake socket. `data` is what the code under test wrote to the raw socket itself. Each
 * question of the beat in it counts again, as `beat`.
 */
export type FakeFrameKind = 'data' | 'beat' | 'ping' | 'pong' | 'close';

/** What reaches a fake socket in one chunk. */
export interface FakeChunk {
  readonly bytes: number;
  /** Reads its frames one by one. A reader that pauses in between gets the rest when it resumes. */
  readonly frames: readonly ((reader: FakeReader) => void)[];
}

/** The WebSocket above a fake socket, as far as the socket knows it. */
export interface FakeReader {
  readMessage(payload: Buffer, isBinary: boolean): void;
  /** A question or an answer of the beat, which is a message for ws. */
  readBeat(payload: string): void;
  readPing(): void;
  readPong(): void;
  /** A close frame. Code 1005 for an empty one. */
  readClose(code: number, reason: string): void;
  /** Bytes that break the protocol, which ws answers with this status. */
  readViolation(status: number): void;
}

/** The other end of a fake socket. It is notified at once, and decides itself when it reacts. */
export interface FakeOtherEnd {
  /** The kernel holds bytes that the other end may read. */
  bytesWaiting(): void;
  /** This side has ended, and everything before the end has left. */
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

/** Observes what passes between a fake socket and the code under test. */
export interface FakeSocketWatcher {
  /** The code under test wrote. `writableLength` still counts what waited before. */
  wrote(socket: FakeSocket, kind: FakeFrameKind, bytes: Uint8Array | string | number): void;
  /** The code under test is about to be notified. */
  telling(socket: FakeSocket, sign: FakeSign): void;
  /** The code under test was notified, and has returned. */
  told(socket: FakeSocket, sign: FakeSign): void;
  /** The code under test threw. */
  threw(socket: FakeSocket, sign: FakeSign, error: unknown): void;
}

/** How a fake socket differs from a well-behaved one. */
export interface FakeSocketQuirks {
  /** Bytes that the kernel accepts before they accumulate in the process. @default 65_536 */
  kernelBytes?: number;
  /** `close` is emitted before `error`, which Node.js never does. */
  closesFirst?: boolean;
  /** `close` is emitted twice. */
  closesTwice?: boolean;
  /** The time from its destruction to `close`, in milliseconds. Infinite for never. @default 0 */
  closeMs?: number;
  /** How long the kernel and writes know of a reset before it is read, in milliseconds. */
  resetReadMs?: number;
  remoteAddress?: string;
}
