import { beatAnswer, beatRequest } from '../../src/core/beat.ts';
import type { FakeSocket } from './fake-socket.ts';
import type { FakeChunk, FakeOtherEnd, FakeReader } from './fake-socket-faces.ts';
import type { SimulatedClock } from './simulated-clock.ts';

/** How a fake peer behaves by default. */
export interface FakePeerManners {
  /** How long something takes from one end to the other, in milliseconds. */
  latencyMs: () => number;
  /** How long it takes to answer a ping, in milliseconds; `null` for never. */
  pongMs: () => number | null;
  /** How long it takes to answer a beat, in milliseconds; `null` for never. */
  beatMs: () => number | null;
  /** How it answers a close frame. `other` answers with a different code. */
  closing: 'echo' | 'empty' | 'other' | 'never';
  /** Whether it ends its side when it has seen the end of the other side. */
  ends: boolean;
  /** Bytes that it reads at a time. */
  readBytes: number;
  /** How long it waits between two reads, in milliseconds, beyond the latency. */
  readEveryMs: number;
}

const FRAME_BYTES = 8;

/**
 * A client at the other end of a {@link FakeSocket}.
 *
 * It has its own clock, so a stall of the process under test does not slow it down. Everything that it sends
 * arrives in order.
 */
export class FakePeer implements FakeOtherEnd {
  /** Whether it is still connected. */
  isThere = true;
  /** Whether it reads what it is sent. */
  isReading = true;
  /** When its last output arrives. */
  lastDueMs = 0;
  readonly manners: FakePeerManners;
  /** What it does about a close frame that it does not answer. */
  onUnanswered: () => void = () => {};

  readonly #clock: SimulatedClock;
  readonly #socket: FakeSocket;
  /** What is in transit, in order. */
  readonly #sent: (() => void)[] = [];
  #nowMs = 0;
  #readIsDue = false;
  #hasClosed = false;
  #hasEnded = false;

  constructor(clock: SimulatedClock, socket: FakeSocket, manners: FakePeerManners) {
    this.#clock = clock;
    this.#socket = socket;
    this.manners = manners;
    this.lastDueMs = clock.now();
    socket.otherEnd = this;
  }

  /** Sends messages that arrive in one chunk. */
  send(payloads: readonly Buffer[], isBinary = false): void {
    let bytes = 0;
    for (const payload of payloads) bytes += payload.length + FRAME_BYTES;
    this.#sendChunk({
      bytes,
      frames: payloads.map((payload) => (reader) => reader.readMessage(payload, isBinary)),
    });
  }

  /** Sends a part of a frame that is not readable yet. */
  sendPart(bytes: number): void {
    this.#sendChunk({ bytes, frames: [] });
  }

  ping(times = 1): void {
    this.#sendChunk({
      bytes: times * FRAME_BYTES,
      frames: Array(times).fill((reader: FakeReader) => reader.readPing()),
    });
  }

  /** Requests a beat. */
  ask(): void {
    this.#sendBeat(beatRequest);
  }

  /** Starts, or answers, the closing handshake. */
  close(code: number, reason = ''): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    this.#sendChunk({ bytes: FRAME_BYTES, frames: [(reader) => reader.readClose(code, reason)] });
  }

  /** Sends bytes that break the protocol. */
  violate(status: number): void {
    this.#sendChunk({ bytes: FRAME_BYTES, frames: [(reader) => reader.readViolation(status)] });
  }

  /** Ends its side of the TCP connection. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deliver(() => this.#socket.receiveEnd());
  }

  /** The network, or the kernel at the other end, gives up the connection. */
  reset(error: Error): void {
    this.#deliver(() => this.#socket.receiveReset(error));
    this.vanish();
  }

  /** It disappears without a close. What it has sent still arrives. */
  vanish(): void {
    this.isThere = false;
    this.isReading = false;
  }

  stopReading(): void {
    this.isReading = false;
  }

  resumeReading(): void {
    this.isReading = this.isThere;
    this.bytesWaiting();
  }

  // What the socket reports.

  bytesWaiting(): void {
    if (!this.isReading || this.#readIsDue || this.#socket.bytesWaiting === 0) return;
    this.#readIsDue = true;
    const { latencyMs, readEveryMs } = this.manners;
    this.#in(latencyMs() + readEveryMs, () => {
      this.#readIsDue = false;
      if (this.isReading) this.#read();
    });
  }

  ended(): void {
    this.#in(this.manners.latencyMs(), () => {
      if (this.isThere && this.manners.ends) this.end();
    });
  }

  destroyed(): void {
    this.vanish();
  }

  #read(): void {
    for (const kind of this.#socket.take(this.manners.readBytes)) {
      if (kind === 'ping') this.#answerPing();
      else if (kind === 'beat') this.#answerBeat();
      else if (kind === 'close') this.#answerClose();
    }
    this.bytesWaiting();
  }

  #answerPing(): void {
    const pongMs = this.manners.pongMs();
    if (pongMs === null) return;
    this.#in(pongMs, () => {
      this.#sendChunk({ bytes: FRAME_BYTES, frames: [(reader) => reader.readPong()] });
    });
  }

  #answerBeat(): void {
    const beatMs = this.manners.beatMs();
    if (beatMs !== null) this.#in(beatMs, () => this.#sendBeat(beatAnswer));
  }

  #sendBeat(payload: string): void {
    this.#sendChunk({ bytes: FRAME_BYTES, frames: [(reader) => reader.readBeat(payload)] });
  }

  #answerClose(): void {
    switch (this.manners.closing) {
      case 'echo':
        this.close(this.#socket.closeCodeWritten);
        return;
      case 'empty':
        this.close(1005);
        return;
      case 'other':
        this.close(4_999, 'my own');
        return;
      case 'never':
        this.onUnanswered();
    }
  }

  #sendChunk(chunk: FakeChunk): void {
    if (!this.#hasEnded) this.#deliver(() => this.#socket.receive(chunk));
  }

  #deliver(arrive: () => void): void {
    if (!this.isThere) return;
    this.#sent.push(arrive);
    this.lastDueMs = Math.max(this.lastDueMs, this.#time + this.manners.latencyMs());
    this.#clock.arriveAt(this.lastDueMs, () => this.#sent.shift()?.());
  }

  /** On its own clock, it reacted in time to input that reached it late. */
  get #time(): number {
    return this.#nowMs === 0 ? this.#clock.now() : this.#nowMs;
  }

  #in(delayMs: number, act: () => void): void {
    const dueMs = this.#time + delayMs;
    this.#clock.arriveAt(dueMs, () => {
      this.#nowMs = dueMs;
      act();
      this.#nowMs = 0;
    });
  }
}
