import type { Connection } from '../../src/core/connection.ts';
import type { FakePeer } from './fake-peer.ts';
import type { FakeSocket } from './fake-socket.ts';
import type { FakeWebSocket } from './fake-web-socket.ts';

/** A message of the simulated service. */
export interface SimulatedMessage {
  readonly n: number;
  readonly pad?: string;
}

/** A connection of the simulated service, as its application sees it. */
export type SimulatedConnection = Connection<number, SimulatedMessage, SimulatedMessage>;

/** What somebody did to a connection: only this may end it. */
export type Deed =
  | 'peer closed'
  | 'peer ended'
  | 'peer reset'
  | 'peer timed out'
  | 'peer broke'
  | 'peer violated'
  | 'peer flooded pings'
  | 'peer flooded messages'
  | 'peer sent nonsense'
  | 'peer was silent'
  | 'peer slept'
  | 'peer read slowly'
  | 'sent what must not be missed'
  | 'socket destroyed'
  | 'error came late'
  | 'closed'
  | 'failed'
  | 'terminated'
  | 'handler threw'
  | 'welcome hung'
  | 'handler hung'
  | 'let in for a while'
  | 'transport broke'
  | 'drained'
  | 'replaced'
  | 'loop was stuck';

/** What is known, from outside, about the life of one simulated connection. */
export class SimulatedLife {
  readonly number: number;
  readonly id: string;
  readonly socket: FakeSocket;
  readonly peer: FakePeer;
  readonly deeds = new Set<Deed>();
  readonly topics = new Set<string>();
  webSocket: FakeWebSocket | null = null;
  connection: SimulatedConnection | null = null;
  /** The sockets have shown that the connection is dead. */
  isDead = false;
  isCongested = false;
  /** The application has paused it. */
  isPaused = false;
  /** When the application last resumed it. */
  unpausedAtMs = 0;
  /** It has negotiated the beat. */
  hasBeat = false;
  /** Messages whose sender waits for their result. */
  flushesPending = 0;
  isSuspect = false;
  isAsleep = false;
  hasErrored = false;
  hasClosing = false;
  /** It was open and, according to the reports, is not any more. */
  hasLeft = false;
  isOver = false;
  /** Refused before a connection was created. */
  isJudged = false;
  /** Its socket also belongs to another life: it was handed over twice. */
  isShadow = false;
  /** How often its socket was handed over for keeping. Each time leaves one listener for late errors. */
  takenOver = 1;
  /** The number in the last message of its peer. */
  lastSent = 0;

  /** Since when nothing from its peer can arrive any more. */
  silentSinceMs = Number.POSITIVE_INFINITY;
  lostAtSilenceMs = 0;
  /** When its current stage began, and how long the loop had been stuck by then. */
  stageSinceMs: number;
  lostAtStageMs: number;
  lostAtOpenMs = 0;
  openedAtMs = 0;
  /** The progress of its backlog when it last changed, and when that was. */
  flushMark = 0;
  flushedAtMs = 0;
  lostAtFlushMs = 0;
  closeFramesWritten = 0;
  messagesDelivered = 0;
  messagesInvalid = 0;
  lastMessage = 0;
  onOpenCalls = 0;
  onCloseCalls = 0;
  onFailedCalls = 0;
  disposersGiven = 0;
  disposersRun = 0;
  /** What `authenticate` took for it, and what was released. */
  taken = 0;
  released = 0;
  /** `onOpen` may settle late. */
  isWelcomed = true;

  constructor(number: number, peer: FakePeer, socket: FakeSocket) {
    this.number = number;
    this.id = `c${number.toString(36)}`;
    this.peer = peer;
    this.socket = socket;
    this.stageSinceMs = 0;
    this.lostAtStageMs = 0;
  }

  get isOpened(): boolean {
    return this.connection !== null;
  }
}
