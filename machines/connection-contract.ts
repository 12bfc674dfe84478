/**
 * Everything that can happen to one socket, each fact with its meaning. A fact is named in the past tense and has no
 * payload.
 *
 * A fact never carries bytes, codes or errors from the wire, because an event object built from foreign data could stop
 * the actor. The connection keeps the evidence.
 */
export const connectionFacts = {
  'dial.requested': 'This side dials.',
  'admission.granted': 'The limits and `authenticate` allow the connection.',
  'admission.refused':
    'This side or the peer refuses the upgrade; the connection has the HTTP answer.',
  'admission.denied': '`authenticate` refuses the client, and a close frame will carry the reason.',
  'peer.abandoned': 'The client ended its side, or was already gone, before the connection opened.',
  'socket.opened': 'The handshake is complete, and the WebSocket is open.',
  'socket.errored': 'The raw socket reported an error.',
  'socket.ended': 'The peer ended its side of the TCP connection.',
  'socket.closed': 'The raw socket has closed.',
  'websocket.closed': 'The WebSocket reported its end.',
  'peer.closing': 'A close frame from the peer arrived.',
  'protocol.violated':
    'The peer broke the protocol, or a message exceeded a limit on size, pieces or time; a close frame has been sent.',
  'send.errored': 'A write failed.',
  'ping.flooded': 'The peer sent more pings than can be answered.',
  'handler.errored': 'A handler of the application threw or rejected.',
  'heartbeat.missed':
    'Half of the grace has passed since a ping or heartbeat message, without a sign of life.',
  'heartbeat.answered': 'A suspect peer has given a sign of life.',
  'heartbeat.lost': 'The whole grace has passed without a sign of life.',
  'beat.missed': 'The browser of the peer answered, but the code of its page did not.',
  'beat.answered': 'A peer that was asleep has sent a message.',
  'outbox.filled': 'The outbox is above its high mark.',
  'outbox.drained': 'The outbox is back below its low mark.',
  'outbox.stalled': 'A congested peer has taken no byte for `stalledMs`.',
  'welcome.settled': '`onOpen` has settled.',
  'welcome.expired': '`onOpen` did not settle within `welcomeMs`.',
  'reading.paused': 'Reading has stopped; no further message is delivered.',
  'reading.resumed': 'No reason to pause reading is left.',
  'pause.expired':
    'Handlers blocked reading and none settled within `pausedMs`, or a page holds too many messages.',
  'deadline.passed': 'The deadline of the current state has passed.',
  'close.requested': 'This side asks for a closing handshake.',
  'fail.requested': 'This side ends the connection because of an error.',
  'terminate.requested': 'This side asks to destroy the socket now.',
} as const;

/** A fact about one socket. */
export type ConnectionFact = { readonly type: keyof typeof connectionFacts };

/** The deadlines that a connection keeps for its chart. Each is an option in milliseconds, except `refusal`. */
export type DeadlineName = 'handshake' | 'refusal' | 'errored' | 'close' | 'forced';

/**
 * Orders that the chart gives to its connection. They are synchronous and run no user code except the option `random`.
 */
export interface ConnectionOrders {
  /** Begins to dial: name resolution, TCP, TLS and the upgrade request. */
  dial(): void;
  /** Answers the upgrade request with 101 and binds the WebSocket. */
  upgrade(): void;
  /** Answers the upgrade request with the chosen refusal. Does nothing when this side dials. */
  refuseUpgrade(): void;
  /** Answers the upgrade request with 101 and sends a close frame with the reason of the refusal. */
  refuseWithClose(): void;
  /** Reports `opened`, enters the registry and begins the welcome. */
  announceOpen(): void;
  /** Starts or resumes the delivery of inbound messages. */
  admitMessages(): void;
  /** Reports `errored`. The gate is already shut. */
  announceError(): void;
  /** Reports `closing`, unless `errored` was reported. The gate is already shut. */
  announceClosing(): void;
  /** Sends the close frame of this side. */
  sendClose(): void;
  /** Destroys the socket now. */
  destroy(): void;
  /** Starts the deadline of the new state, and cancels the previous one. */
  startDeadline(params: { name: DeadlineName }): void;
  /** Reports that liveness or flow changed. */
  announceChange(params: { to: ConnectionCondition }): void;
  /** Releases everything and reports the one terminal outcome. */
  finish(): void;
  /** Returns the verdict or the failure, after `finish`. */
  outcome(): unknown;
}

/** The conditions that the parallel regions of an open connection report. */
export type ConnectionCondition = 'healthy' | 'suspect' | 'asleep' | 'flowing' | 'congested';
