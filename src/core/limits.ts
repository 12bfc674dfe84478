/** How long each state may last, in milliseconds. */
export interface Timeouts {
  /** The total time from the upgrade request to open, whatever happens in between. @default 10_000 */
  handshakeMs: number;
  /** How long an async `onOpen` may take before the connection is closed with 1011. @default 10_000 */
  welcomeMs: number;
  /** How long a closing handshake may take before the socket is destroyed. @default 5_000 */
  closeMs: number;
  /** How long the last close frame may take to leave after an error. @default 2_000 */
  erroredMs: number;
  /** How long a destroyed socket may take to report that it is closed. @default 2_000 */
  forcedMs: number;
  /** How long a congested peer may accept no bytes before it is closed with 1013. @default 15_000 */
  stalledMs: number;
  /**
   * How long reading may stay paused because no `onMessage` promise settles, before the connection is closed with 1011. Your
   * own `connection.pause()` has no time limit. @default 60_000
   */
  pausedMs: number;
  /**
   * How long a message may take from its first byte to its last before the connection is closed with 1008. Pauses do not count.
   * Raise it for large messages over slow links.
   * @default 60_000
   */
  messageMs: number;
  /** How long the answer to a request of this side may take, unless the request has a `timeoutMs`. @default 10_000 */
  requestMs: number;
}

/** What happens when a peer sends more messages than `limits.messagesPerSecondMax` allows. */
export type OverRatePolicy = 'pause' | 'close';

/**
 * When a silent peer is pinged, and when it counts as lost. A dead peer is found within `intervalMs + graceMs` of its last
 * byte.
 */
export interface HeartbeatOptions {
  /** How long a peer may be silent before it is pinged, in milliseconds. @default 25_000 */
  intervalMs: number;
  /** How long the peer may take to answer, in milliseconds. @default 10_000 */
  graceMs: number;
}

/** What one connection may use. Exceeding a limit always has the consequence named here; no limit is silent. */
export interface Limits {
  /** Longest message, in bytes. A longer one closes the connection with 1009. @default 1_048_576 */
  payloadBytesMax: number;
  /**
   * Fragments of one message. More close the connection with 1008.
   * @default one for every 1,024 bytes of `payloadBytesMax`, at least 64
   */
  fragmentsMax: number;
  /**
   * Chunks of a frame that are held while the frame is incomplete. More close the connection with 1008. A chunk is the result
   * of one read of the socket: a slow network may deliver a message in pieces of 536 bytes.
   * @default one for every 512 bytes of `payloadBytesMax`, at least 2,048
   */
  bufferedChunksMax: number;
  /** How deep JSON may nest. A message that nests deeper is invalid. @default 64 */
  depthMax: number;
  /**
   * How many values the JSON of one message may have: scalars, arrays and objects, at every depth; keys do not count. A message
   * with more is invalid. This limit bounds the cost of a schema, which may report a fault for each value. Clients accept
   * 200,000.
   * @default 8_000
   */
  valuesMax: number;
  /** Messages per second that a peer may sustain. `overRate` decides what happens beyond that. @default 1_000 */
  messagesPerSecondMax: number;
  /** Messages that a peer may send at once after a silence. @default 2_000 */
  messageBurstMax: number;
  /**
   * Invalid messages that a peer may send in a minute, whatever `invalidMessages` is. More close the connection with 1008.
   * Clients accept 60,000.
   * @default 60
   */
  invalidPerMinuteMax: number;
  /**
   * How many promises of `onMessage` and `onRequest` may be unsettled at a time. At the limit, reading pauses until one settles.
   * With 1, messages are handled strictly one after another. For each request of this side that waits for an answer on the
   * connection, and for each message that waits for a receipt, one promise does not count. @default 1_024
   */
  inFlightMax: number;
  /**
   * Bytes of the messages whose promises are unsettled. At the limit, reading pauses. One message always fits.
   * @default 4_194_304
   */
  inFlightBytesMax: number;
  /** Outbox size above which sends are refused and publications are dropped, in bytes. @default 1_048_576 */
  outboxHighBytes: number;
  /**
   * Outbox size at which a congested connection flows again, in bytes. It is checked each time a write that had to wait has
   * left.
   * @default 262_144
   */
  outboxLowBytes: number;
  /** Topics one connection may be a member of; their names have at most 256 bytes each. @default 10_000 */
  topicsMax: number;
  /**
   * Requests of this side that may wait for their answers at a time, on one connection or from one client, receipts included.
   * Further ones fail at once. @default 1_000
   */
  requestsMax: number;
}

/** How many fragments and chunks an honest message of this size may have. Many peers write frames of 4 KiB or less. */
export function partsOf(
  payloadBytesMax: number,
): Pick<Limits, 'fragmentsMax' | 'bufferedChunksMax'> {
  return {
    fragmentsMax: Math.max(64, Math.ceil(payloadBytesMax / 1_024)),
    bufferedChunksMax: Math.max(2_048, Math.ceil(payloadBytesMax / 512)),
  };
}

/** What a message that is held back costs besides its bytes (236 measured in Node.js 20). */
export const HELD_MESSAGE_BYTES = 256;

/** How long a refused client may take to read its answer and leave, in milliseconds. */
export const LINGER_MS = 1_000;
