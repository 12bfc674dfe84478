import { WebSocket } from 'ws';
import { NO_STATUS } from '../core/close-code.ts';
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

/** ws's own close timer must never be the one that decides: every state has a deadline of ours. */
const CLOSE_TIMEOUT_MS = 2 ** 31 - 1;

/** Pings answered at once; ws gives up a peer that sends more before the answers have left. */
const PENDING_PONGS_MAX = 60;

/** What ws is told of every socket, accepted or dialed; its published types do not know all of it yet. */
export function socketOptions(limits: Readonly<Limits>) {
  return {
    // Off, and no option: it costs 255 KiB per connection (measured).
    perMessageDeflate: false,
    maxPayload: limits.payloadBytesMax,
    maxFragments: limits.fragmentsMax,
    // Counted by the reassembly, which joins small ones.
    maxBufferedChunks: 0,
    maxPendingAutoPongs: PENDING_PONGS_MAX,
    closeTimeout: CLOSE_TIMEOUT_MS,
  };
}

/**
 * The ws WebSocket of one connection, without a listener of its own.
 *
 * ws has no event for "the peer has started to close": it flips its state and answers by calling `close()`
 * on itself, it calls `close(status)` when the peer broke the protocol, `terminate()` when it flooded us with
 * pings, and `pong()` to answer one. These calls are the only synchronous sign of each, so they are caught here, before
 * anything else can run. The connection closes through {@link answerClose} and never through `close()`.
 *
 * Events are caught in `emit` because five listeners for each idle socket cost memory and add nothing.
 *
 * @internal
 */
export class SupervisedSocket extends WebSocket implements WebSocketFace, Reassembling, TurnTaker {
  observer: SocketObserver | null = null;
  reassembly: Reassembly | null = null;
  limitPassed: string | null = null;
  /** Nothing before it has opened. */
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

  /** Most reads consist of whole messages, and leave nothing to watch. */
  #readWhole(receiver: WsReceiver, chunk: Buffer, unfinished: UnfinishedMessages): boolean {
    const wantsMore = writeTo(receiver, chunk);
    if (this.observer !== null && holdsMessage(receiver)) {
      this.reassembly = new Reassembly(this, receiver, unfinished);
      this.reassembly.look(false);
    }
    return wantsMore;
  }

  /** Called by ws when a close frame arrived, or with a bare status when it found a protocol error. */
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

  /** What is left of the read that is under way waits as well. */
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

  /** Not a pause of the connection: its clocks go on. */
  awaitTurn(): boolean {
    if (this.isPaused) return false;
    super.pause();
    return true;
  }

  takeTurn(): void {
    super.resume();
  }

  /** Called by ws to answer a ping, before it says that there was one. */
  override pong(...args: Parameters<WebSocket['pong']>): void {
    this.observer?.pongDue(CONTROL_HEADER_BYTES + ((args[0] as Buffer | undefined)?.length ?? 0));
    super.pong(...args);
  }

  /** Called by ws when more pings arrive than it can answer. */
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
        // Without a listener Node.js would throw; a late error has nobody left to tell.
        this.#errored(args[0] as NodeJS.ErrnoException);
        return true;
      default:
        return super.emit(event, ...args);
    }
  }

  /** A message in too many parts keeps to the protocol; it is the limit that ends it. */
  #errored(error: NodeJS.ErrnoException): void {
    if (error.code !== TOO_MANY_PARTS) this.observer?.protocolErrored(error);
    else {
      const limit = Object.assign(new Error(this.#violationReason(1008)), { code: TOO_MANY_PARTS });
      this.observer?.protocolErrored(limit, 'message-limit');
    }
  }

  /** What a peer hears of the limit that it has passed. A code alone would not tell which. */
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

/** A receiver of ws with {@link receiverWrite} in the place of its own `write`. */
interface SupervisedReceiver extends WsReceiver {
  supervised: SupervisedSocket;
}

/** One function for all sockets, so an idle connection pays for no closure. */
function receiverWrite(this: SupervisedReceiver, chunk: Buffer): boolean {
  return this.supervised.read(this, chunk);
}
