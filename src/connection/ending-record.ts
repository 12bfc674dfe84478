import { type CloseFrame, NO_STATUS } from '../core/close-code.ts';
import type { Trail } from '../core/trail.ts';
import type {
  CloseVerdict,
  Evidence,
  LocalCause,
  Mutable,
  Origin,
  RefusedMessage,
} from '../core/verdict.ts';
import type { Transport } from '../transport/transport.ts';

/**
 * What one connection knows about its ending. Only this class writes the evidence; others call its methods.
 *
 * It is made when there is something to note, because most of the time a connection has no ending yet.
 */
export class EndingRecord {
  readonly #evidence: Evidence = {};
  /** The close frame that began the closing: the peer's, or the one that this side wants to send. */
  closeFrame: CloseFrame | undefined;
  /** Whether the report `errored` has already announced the end. */
  isErrorReported = false;

  get evidence(): Readonly<Evidence> {
    return this.#evidence;
  }

  get isStartedByPeer(): boolean {
    return this.#evidence.received !== undefined && this.#evidence.intent === undefined;
  }

  /** Notes new evidence, which replaces the old. */
  note(evidence: Evidence): void {
    Object.assign(this.#evidence, evidence);
  }

  /** This side asked for the end, and the request shut the gate. */
  noteIntent(intent: LocalCause, frame = this.closeFrame): void {
    this.#evidence.intent = intent;
    this.closeFrame = frame;
  }

  noteSendError(error: Error): void {
    this.#evidence.sendError = error;
  }

  noteSocketError(error: Error): void {
    this.#evidence.socketError ??= error;
  }

  /** Another part of the process used the socket. */
  noteTaken(error: Error): void {
    this.#evidence.taken ??= error;
  }

  /** The peer's close frame arrived. */
  noteCloseFrame(received: CloseFrame, transport: Transport): void {
    this.#evidence.received ??= received;
    const { sent } = this.#evidence;
    if (sent !== undefined && !this.#mayAnswer(received.code, sent.code, transport)) {
      this.#evidence.simultaneous = true;
    }
  }

  /**
   * Whether a close frame of the peer may be an answer to that of this side. Peers answer with the same code, with no
   * code, or, against RFC 6455 §5.5.1, with a code of their own. It is not an answer if the frame of this side has not
   * left yet, or if no byte has arrived since that frame was written.
   */
  #mayAnswer(code: number, sentCode: number, { bufferedBytes, bytesIn }: Transport): boolean {
    if (code === sentCode || code === NO_STATUS) return true;
    return bufferedBytes === 0 && bytesIn !== this.#evidence.sentAtBytesIn;
  }

  /** The peer broke the protocol, or this side refuses the rest of its message. */
  noteViolation(error: Error, refused: RefusedMessage | undefined): void {
    if (this.#evidence.protocolError !== undefined) return;
    this.#evidence.protocolError = error;
    this.#evidence.refused = refused;
  }

  /** Returns the verdict of a connection that was open. */
  verdict(transport: Transport, openMs: number, trail: Trail): CloseVerdict {
    const verdict = transport.classify(this.#evidence) as Mutable<CloseVerdict>;
    verdict.openMs = openMs;
    verdict.bytesIn = transport.bytesIn;
    verdict.bytesOut = transport.bytesOut;
    verdict.trail = trail;
    return verdict;
  }
}

/** Who began the closing, and with which close frame. */
export function closingOf({ evidence, closeFrame }: EndingRecord): CloseFrame & { origin: Origin } {
  const { intent, received, taken } = evidence;
  const { code, reason } = closeFrame ?? { code: 1006, reason: '' };
  const remote = received === undefined ? 'network' : 'peer';
  const isLocal = intent !== undefined || taken !== undefined;
  return { origin: isLocal ? 'local' : remote, code, reason };
}

/** The error of a socket that another part of this process also uses. */
export function takenAway(): Error {
  return new Error('another part of this process wrote to the socket, ended it or destroyed it');
}
