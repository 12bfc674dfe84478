import { WebSocket } from 'ws';
import { NO_STATUS } from '../core/close-code.ts';
import { toError } from '../core/errors.ts';
import type { Limits } from '../core/limits.ts';
import type { WebSocketFace } from './node-transport.ts';
import type { Reads, TurnTaker } from './reads.ts';
import { type Reassembling, Reassembly, type UnfinishedMessages } from './reassembly.ts';
import type { SocketObserver } from './transport.ts';
import {
  holdsMessage,
  internalsOf,
  returnUnread,
  type WsReceiver,
  writeTo,
} from './ws-receiver.ts';

/** The error code of ws for a message in too many fragments, or a frame in too many chunks. */
const TOO_MANY_PARTS = 'WS_ERR_TOO_MANY_BUFFERED_PARTS';

/** The header of a control frame of a server (RFC 6455 §5.2). */
const CONTROL_HEADER_BYTES = 2;

/** Disables the close timer of ws: the deadlines of the chart decide. */
const CLOSE_TIMEOUT_MS = 2 ** 31 - 1;

/** How many answers to pings may wait. ws terminates a peer that sends more pings before the answers have left. */
const PENDING_PONGS_MAX = 60;

/** The options of ws for accepted and dialed sockets. The published types of ws lack some of them. */
export function socketOptions(limits: Readonly<Limits>) {
  return {
    // Not an option of Mooring: compression costs 255 KiB per connection (measured).
    perMessageDeflate: false,
    maxPayload: limits.payloadBytesMax,
    maxFragments: limits.fragmentsMax,
    // The reassembly counts chunks, because it joins small ones.
    maxBufferedChunks: 0,
    maxPendingAutoPongs: PENDING_PONGS_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
}

/**
 * The ws WebSocket of one connection. It has no listeners.
 *
 * ws has no event for the start of a close by the peer. It calls its own methods instead: `close()` to answer a close
 * frame, `close(status)` when the peer broke the protocol, `terminate()` when the peer sent too many pings, and `pong()`
 * to answer a ping. Nothing else reports these synchronously, so this class overrides the methods. The connection itself
 * closes through {@link answerClose}, and never through `close()`.
 *
 * Events are caught in `emit`, because five listeners for each idle socket would cost memory and add nothing.
 *
 * @internal
 */
export class SupervisedSocket extends WebSocket implements WebSocketFace, Reassembling, TurnTaker {
  observer: SocketObserver | null = null;
  reassembly: Reassembly | null = null;
  limitPassed: string | null = null;
  /** Set when the socket has opened. */
  #reads: Reads | undefined;

  supervise(observer: SocketObserver, reads: Reads | undefined): void {
    this.observer = observer;
    if (reads === undefined) return;
    this.#reads = reads;
    const receiver = internalsOf(this)._receiver as SupervisedReceiver | null;
    if (receiver === null) return;
    receiver.supervised = this;
    receiver.write = receiverWrite;
  }

  release(): void {
    this.observer = null;
    this.reassembly?.end();
  }

  /** Gives a read to ws. Returns whether ws can take more. After a long read, this socket waits for its turn. */
  read(receiver: WsReceiver, chunk: Buffer): boolean {
    const reads = this.#reads;
    if (this.observer === null || reads === undefined) return writeTo(receiver, chunk);
    const beganAtMs = reads.turns.begin(chunk.length);
    const wantsMore =
      this.reassembly === null
        ? this.#readWhole(receiver, chunk, reads.unfinished)
        : this.reassembly.read(chunk);
    reads.turns.end(beganAtMs, this);
    return wantsMore;
  }

  /** Most reads consist of whole messages and need no reassembly. */
  #readWhole(receiver: WsReceiver, chunk: Buffer, unfinished: UnfinishedMessages): boolean {
    const wantsMore = writeTo(receiver, chunk);
    if (this.observer !== null && holdsMessage(receiver)) {
      this.reassembly = new Reassembly(this, receiver, unfinished);
      this.reassembly.look(false);
    }
    return wantsMore;
  }

  /** ws calls this when a close frame arrives or, with a status alone, when it finds a protocol error. */
  override close(code?: number, reason?: string | Buffer): void {
    const { observer } = this;
    if (observer === null) super.close(code, reason);
    else if (code !== undefined && reason === undefined)
      observer.violationFound({ code, reason: this.#violationReason(code) });
    else observer.closeReceived(code ?? NO_STATUS, reason as Buffer | undefined);
  }

  answerClose(code?: number, reason?: string | Buffer): void {
    super.close(code === NO_STATUS ? undefined : code, reason);
  }

  /** Also holds back the rest of the current read. */
  override pause(): void {
    this.#reads?.turns.leave(this);
    super.pause();
    returnUnread(this);
    if (this.isPaused) this.reassembly?.pause();
  }

  override resume(): void {
    this.#reads?.turns.leave(this);
    super.resume();
    this.reassembly?.resume();
  }

  /** This is not a pause of the connection: its deadlines go on. */
  awaitTurn(): boolean {
    if (this.isPaused) return false;
    super.pause();
    return true;
  }

  takeTurn(): void {
    super.resume();
  }

  /** ws calls this to answer a ping, before it emits `ping`. */
  override pong(...args: Parameters<WebSocket['pong']>): void {
    this.observer?.pongDue(CONTROL_HEADER_BYTES + ((args[0] as Buffer | undefined)?.length ?? 0));
    try {
      super.pong(...args);
    } catch (thrown) {
      this.observer?.sendErrored(toError(thrown));
    }
  }

  /** ws calls this when more pings arrive than it can answer. */
  override terminate(): void {
    this.observer?.pingFlooded();
    super.terminate();
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const { observer } = this;
    switch (event) {
      case 'message':
        this.reassembly?.frameEnded();
        observer?.connection.receive(args[0] as Buffer, args[1] as boolean);
        return true;
      case 'ping':
      case 'pong':
        this.reassembly?.frameEnded();
        observer?.connection.heard();
        return true;
      case 'error':
        // Not emitted: without a listener, Node.js would throw. After release, an error is dropped.
        this.#errored(toError(args[0]));
        return true;
      default:
        return super.emit(event, ...args);
    }
  }

  /** A message in too many parts follows the protocol, so it is reported as a limit and not as a violation. */
  #errored(error: NodeJS.ErrnoException): void {
    if (error.code !== TOO_MANY_PARTS) this.observer?.protocolErrored(error);
    else {
      const limit = Object.assign(new Error(this.#violationReason(1008)), { code: TOO_MANY_PARTS });
      this.observer?.protocolErrored(limit, 'message-limit');
    }
  }

  /** Returns the close reason for a violation. It names the limit, which the code alone does not. */
  #violationReason(code: number): string {
    const limits = this.#reads?.limits;
    switch (code) {
      case 1007:
        return 'text that is not UTF-8';
      case 1008:
        return (
          this.limitPassed ??
          `message in over ${limits?.fragmentsMax} fragments (limits.fragmentsMax)`
        );
      case 1009:
        return `message over ${limits?.payloadBytesMax} bytes (limits.payloadBytesMax)`;
      default:
        return '';
    }
  }
}

/** A receiver of ws whose `write` is {@link receiverWrite}. */
interface SupervisedReceiver extends WsReceiver {
  supervised: SupervisedSocket;
}

/** Shared by all sockets, so that an idle connection pays for no closure. */
function receiverWrite(this: SupervisedReceiver, chunk: Buffer): boolean {
  return this.supervised.read(this, chunk);
}
