/**
 * Facts: everything that can happen to one socket, with what each means. Past tense, no payload.
 *
 * A fact never carries bytes, codes or errors from the wire. The connection keeps the evidence; the chart only
 * needs to know that something happened (an event object built from foreign data could stop the actor).
 */
export const connectionFacts = {
  'dial.requested': 'It is this side that connects.',
  'admission.granted': 'Limits and `authenticate` said yes.',
  'admission.refused':
    'Something said no, here or at the peer; the connection knows the HTTP answer.',
  'admission.denied': '`authenticate` said no, and a close frame is to say why.',
  'peer.abandoned': 'The client ended its side, or was gone, before the connection opened.',
  'socket.opened': '101 is written and the WebSocket stands.',
  'socket.errored': 'The raw socket reported an error.',
  'socket.ended': 'The peer ended its side of the TCP connection.',
  'socket.closed': 'The raw socket is gone.',
  'websocket.closed': 'ws reported the end of the WebSocket.',
  'peer.closing': 'A close frame of the peer arrived.',
  'protocol.violated':
    'The peer broke the protocol, or one message passed a limit of size, pieces or time; a close frame has been sent.',
  'send.errored': 'A write failed.',
  'ping.flooded': 'The peer sent more pings than can be answered.',
  'handler.errored': 'A handler of the application threw or rejected.',
  'heartbeat.missed': 'Half of the grace has passed since a ping and nothing was heard.',
  'heartbeat.answered': 'Something was heard from a suspect peer.',
  'heartbeat.lost': 'The whole grace has passed and nothing was heard.',
  'beat.missed': 'The code of the peer did not answer, however its browser did.',
  'beat.answered': 'A message came from a peer that was asleep.',
  'outbox.filled': 'The outbox is above its high mark.',
  'outbox.drained': 'The outbox is back below its low mark.',
  'outbox.stalled': 'A congested peer took not one byte for `stalledMs`.',
  'welcome.settled': '`onOpen` has settled.',
  'welcome.expired': '`onOpen` did not settle within `welcomeMs`.',
  'reading.paused': 'Reading has stopped; no further message is delivered.',
  'reading.resumed': 'The last reason to pause is gone.',
  'pause.expired': 'Handlers held reading up, and none settled within `pausedMs`.',
  'deadline.passed': 'The time of the current state is up.',
  'close.requested': 'This side wants a closing handshake.',
  'fail.requested': 'This side ends the connection because of an error.',
  'terminate.requested': 'This side wants the socket destroyed now.',
} as const;

/** A fact about one socket. */
export type ConnectionFact = { readonly type: keyof typeof connectionFacts };

/** The deadlines that a connection keeps for its chart. Each is an option in milliseconds, except `refusal`. */
export type DeadlineName = 'handshake' | 'refusal' | 'errored' | 'close' | 'forced';

/**
 * Orders of the chart to its connection. Imperative, synchronous, and never user code.
 */
export interface ConnectionOrders {
  /** Begins to dial: name, TCP, TLS and the upgrade request. */
  dial(): void;
  /** Answers the upgrade request with 101 and binds the WebSocket. */
  upgrade(): void;
  /** Answers the upgrade request with the refusal that was decided on. Does nothing when this side dials. */
  refuseUpgrade(): void;
  /** Answers the upgrade request with 101 and sends a close frame that says why it is refused. */
  refuseWithClose(): void;
  /** Reports `opened`, enters the registry and begins the welcome. */
  announceOpen(): void;
  /** Starts or resumes the delivery of inbound messages. */
  admitMessages(): void;
  /** Reports that something went wrong; the gate is shut already. */
  announceError(): void;
  /** Reports that the connection is closing; the gate is shut already. */
  announceClosing(): void;
  /** Sends the close frame this side decided on. */
  sendClose(): void;
  /** Destroys the socket now. */
  destroy(): void;
  /** Starts the deadline of the state being entered; it replaces the one before. */
  startDeadline(params: { name: DeadlineName }): void;
  /** Reports that liveness or flow changed. */
  announceChange(params: { to: ConnectionCondition }): void;
  /** Releases everything and reports the one terminal outcome. */
  finish(): void;
  /** The verdict or the failure, once finished. */
  outcome(): unknown;
}

/** The conditions that the parallel regions of an open connection report. */
export type ConnectionCondition = 'healthy' | 'suspect' | 'asleep' | 'flowing' | 'congested';
