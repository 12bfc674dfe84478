import type { SendResult } from '../core/connection.ts';
import { guarded, ignoreRejection } from '../core/guard.ts';
import { textOf } from '../core/text.ts';
import { kindOf } from '../core/wording.ts';
import { MessageHeartbeat, type WatchParts } from './message-heartbeat.ts';
import type { OutboundConnection } from './outbound-connection.ts';
import { SilenceLimit } from './silence-limit.ts';

/** Makes the watch of the peer of an open connection; `null` if no option of the client asks for it. */
export function peerWatch(connection: OutboundConnection, parts: WatchParts): PeerWatch | null {
  const { heartbeat, silentMs } = parts.runtime.options;
  const { message, expects } = heartbeat;
  const isAsked = message !== undefined || expects !== undefined || silentMs !== undefined;
  return isAsked ? new PeerWatch(connection, parts) : null;
}

/** Judges from its messages whether the application of a peer is alive, and filters out heartbeats. */
export class PeerWatch {
  readonly #connection: OutboundConnection;
  readonly #parts: WatchParts;
  #heartbeat: MessageHeartbeat | null = null;
  #silence: SilenceLimit | null = null;

  /** Heartbeats of the peer are recognised at once. Time runs from {@link begin}. */
  constructor(connection: OutboundConnection, parts: WatchParts) {
    this.#connection = connection;
    this.#parts = parts;
  }

  /** `onOpen` has settled. A peer that requires a sign-in accepts other messages only from now on. */
  begin(): void {
    const { heartbeat, silentMs } = this.#parts.runtime.options;
    if (heartbeat.message !== undefined)
      this.#heartbeat = new MessageHeartbeat(this.#connection, this.#parts, this.#send);
    if (silentMs !== undefined) this.#silence = new SilenceLimit(this.#connection, silentMs);
  }

  /** A message of any kind arrived. */
  heard(): void {
    this.#heartbeat?.heard();
  }

  /** A request or an answer of the peer arrived. */
  requestHeard(): void {
    this.#silence?.heard();
  }

  /** Returns whether a message is a heartbeat of the peer, which the application does not receive. */
  handleHeartbeat(payload: Uint8Array, isBinary: boolean): boolean {
    const { expects } = this.#parts.runtime.options.heartbeat;
    const isHeartbeat =
      expects !== undefined &&
      guarded(
        () => checked(expects(isBinary ? payload : textOf(payload), this.#send)),
        this.#parts.streams.report('heartbeat.expects'),
      ) === true;
    if (!isHeartbeat) this.#silence?.heard();
    return isHeartbeat;
  }

  /** Asks for a sign of life at once. */
  probe(): void {
    this.#heartbeat?.probe();
  }

  stop(): void {
    this.#heartbeat?.stop();
    this.#silence?.stop();
  }

  /**
   * Sends a heartbeat, which neither waits in the queue nor needs to fulfil a contract.
   * @throws MooringError `unencodable-message`
   */
  readonly #send = (message: unknown): SendResult => {
    const isRaw = typeof message === 'string' || message instanceof Uint8Array;
    const payload = isRaw ? message : this.#parts.runtime.contract.encode(message);
    return this.#connection.side.outbox?.send(payload) ?? 'refused';
  };
}

/** @throws TypeError for anything but a boolean: a promise would hide every message. */
function checked(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer;
  ignoreRejection(answer);
  throw new TypeError(`heartbeat.expects must return a boolean, not ${kindOf(answer)}`);
}
