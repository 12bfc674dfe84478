import { EventEmitter } from 'node:events';
import { beatRequest } from '../../src/core/beat.ts';
import type {
  FakeChunk,
  FakeFrameKind,
  FakeOtherEnd,
  FakeReader,
  FakeSign,
  FakeSocketQuirks,
  FakeSocketWatcher,
} from './fake-socket-faces.ts';
import { payloadsIn } from './server-frames.ts';
import type { SimulatedClock } from './simulated-clock.ts';

interface PendingWrite {
  readonly kind: FakeFrameKind;
  /** Its end in the stream of all bytes written. */
  readonly end: number;
  readonly written: ((error?: Error | null) => void) | undefined;
}

/** How the frame of a ping begins. */
const PING = 0x89;

const BEAT = beatRequest.charCodeAt(0);

const END = Symbol('end');

/**
 * The part of `net.Socket` that Mooring uses, without a network.
 *
 * Writes are a stream of bytes with three marks: what the other end has taken, what the kernel holds beyond
 * it, and what waits in the process. As in Node.js, a write that finds the kernel full stays whole until all
 * of it has left, and everything behind it leaves in one further write.
 *
 * ```
 * 0 ─── taken ─── taken + kernelBytes ─── end of the write under way ─── bytesWritten
 *  read by the peer │ held by the kernel │ writeQueueSize │ buffered by Node.js
 * ```
 */
export class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  otherEnd: FakeOtherEnd | null = null;
  reader: FakeReader | null = null;
  watcher: FakeSocketWatcher | null = null;
  /** The code of the close frame that was written. 1005 for an empty one. */
  closeCodeWritten = 1005;
  bytesRead = 0;
  bytesWritten = 0;
  readable = true;
  /** `destroy` throws when this side calls it, as if somebody had wrapped it. */
  throwsAtDestroy = false;
  destroyed = false;
  /** Whether `close` has been emitted. */
  closed = false;
  errored: Error | null = null;

  readonly #clock: SimulatedClock;
  readonly #quirks: FakeSocketQuirks;
  readonly #kernelBytes: number;
  readonly #handle = { writeQueueSize: 0 };
  readonly #inbound: (FakeChunk | typeof END)[] = [];
  #writes: PendingWrite[] = [];
  #isFlowing = false;
  #ending = false;
  #finished = false;
  /** Writes that have completed, and that the other end has not read completely. */
  readonly #frames: PendingWrite[] = [];
  #resetBy: NodeJS.ErrnoException | null = null;
  #taken = 0;
  #completed = 0;
  /** The end of the write under way. Nothing is under way when it equals `#completed`. */
  #underWay = 0;

  constructor(clock: SimulatedClock, quirks: FakeSocketQuirks = {}) {
    super();
    this.#clock = clock;
    this.#quirks = quirks;
    this.#kernelBytes = quirks.kernelBytes ?? 65_536;
    this.remoteAddress = quirks.remoteAddress ?? '192.0.2.1';
  }

  /** The packets that carry its bytes make no difference here. */
  cork(): void {}
  uncork(): void {}

  get writable(): boolean {
    return !(this.destroyed || this.#ending) && this.errored === null;
  }

  get writableLength(): number {
    return this.bytesWritten - this.#completed;
  }

  /** What libuv knows of the write under way. */
  get _handle(): { readonly writeQueueSize: number } | null {
    return this.destroyed ? null : this.#handle;
  }

  /** Bytes that the other end can read right now. */
  get bytesWaiting(): number {
    return this.#kernelEnd - this.#taken;
  }

  /** A number that grows whenever the kernel accepts bytes of a backlog. */
  get flushMark(): number {
    return this.bytesWritten - this.writableLength - this.#handle.writeQueueSize;
  }

  get #kernelEnd(): number {
    return Math.min(this.bytesWritten, this.#taken + this.#kernelBytes);
  }

  // What the code under test calls.

  write(chunk: Uint8Array | string, written?: (error?: Error | null) => void): boolean {
    this.writeFrame(chunk[0] === PING ? 'ping' : 'data', chunk, written);
    return this.writableLength === 0;
  }

  end(chunk?: string): this {
    if (this.destroyed || this.#ending) return this;
    if (chunk !== undefined) this.writeFrame('data', chunk);
    this.#ending = true;
    this.#finishWhenDone();
    return this;
  }

  /** What Mooring calls. The world, and the fake of ws, call {@link tearDown}. */
  destroy(error?: Error): this {
    this.tearDown(error);
    if (this.throwsAtDestroy) throw new Error('something threw behind it');
    return this;
  }

  tearDown(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.errored ??= error ?? null;
    this.otherEnd?.destroyed();
    const close = () => this.#close();
    if (this.#quirks.closesFirst && error !== undefined) {
      this.#clock.soon(close);
      this.#clock.arriveAt(this.#clock.now(), () => this.#breakDown(error));
    } else {
      this.#clock.soon(() => this.#breakDown(error));
      this.#clock.lateBy(this.#quirks.closeMs ?? 0, close);
    }
    return this;
  }

  pause(): this {
    this.#isFlowing = false;
    return this;
  }

  resume(): this {
    if (this.#isFlowing) return this;
    this.#isFlowing = true;
    this.#clock.soon(() => this.#read());
    return this;
  }

  // What the WebSocket above it calls.

  writeFrame(
    kind: FakeFrameKind,
    bytes: Uint8Array | string | number,
    written?: (error?: Error | null) => void,
  ): void {
    const error = this.#writeError();
    if (error !== undefined) {
      this.#clock.soon(() => {
        this.#failWrite({ kind, end: 0, written }, error);
        if (!this.destroyed) this.tearDown(error);
      });
      return;
    }
    this.watcher?.wrote(this, kind, bytes);
    this.bytesWritten += typeof bytes === 'number' ? bytes : bytes.length;
    this.#writes.push({ kind, end: this.bytesWritten, written });
    for (let left = beatsIn(kind, bytes); left > 0; left -= 1)
      this.#writes.push({ kind: 'beat', end: this.bytesWritten, written: undefined });
    this.#progress();
    this.otherEnd?.bytesWaiting();
  }

  /** A write after the end fails later. A write to a reset connection fails at once. */
  #writeError(): Error | undefined {
    if (this.destroyed) return systemError('ERR_STREAM_DESTROYED');
    if (this.#ending) return systemError('ERR_STREAM_WRITE_AFTER_END');
    if (this.#resetBy === null) return undefined;
    this.errored ??= systemError(this.#resetBy.code, 'write');
    return this.errored;
  }

  // What the network does.

  /** A chunk has arrived. */
  receive(chunk: FakeChunk): void {
    if (this.destroyed || !this.readable) return;
    this.bytesRead += chunk.bytes;
    this.#inbound.push(chunk);
    this.#read();
  }

  /** The other end has ended its side. */
  receiveEnd(): void {
    if (this.destroyed || !this.readable) return;
    this.#inbound.push(END);
    this.#read();
  }

  /** The connection is gone. Writes know that from now on, the reader a little later. */
  receiveReset(error: NodeJS.ErrnoException): void {
    if (this.destroyed || this.#resetBy !== null) return;
    this.#resetBy = error;
    this.#clock.arriveAt(this.#clock.now() + (this.#quirks.resetReadMs ?? 0), () => {
      this.tearDown(error);
    });
  }

  /** The other end reads bytes. Returns the kinds of the frames that it has received completely now. */
  take(bytesMax: number): FakeFrameKind[] {
    if (this.destroyed) return [];
    this.#taken += Math.min(bytesMax, this.bytesWaiting);
    this.#progress();
    return this.#framesTaken();
  }

  #framesTaken(): FakeFrameKind[] {
    const kinds: FakeFrameKind[] = [];
    for (let [first] = this.#frames; first && first.end <= this.#taken; [first] = this.#frames) {
      kinds.push(first.kind);
      this.#frames.shift();
    }
    return kinds;
  }

  /** Completes the writes that the kernel has accepted completely. */
  #progress(): void {
    const kernelEnd = this.#kernelEnd;
    if (this.#underWay === this.#completed)
      this.#underWay = this.#writes[0]?.end ?? this.#completed;
    while (this.#underWay > this.#completed && kernelEnd >= this.#underWay) {
      this.#complete();
      this.#underWay = this.bytesWritten;
    }
    this.#handle.writeQueueSize = Math.max(0, this.#underWay - kernelEnd);
    this.#finishWhenDone();
  }

  #complete(): void {
    this.#completed = this.#underWay;
    const done: PendingWrite[] = [];
    for (
      let [first] = this.#writes;
      first && first.end <= this.#completed;
      [first] = this.#writes
    ) {
      this.#writes.shift();
      this.#frames.push(first);
      if (first.written !== undefined) done.push(first);
    }
    if (done.length === 0) return;
    this.#clock.soon(() => {
      for (const { written } of done) written?.(null);
    });
  }

  #finishWhenDone(): void {
    if (!this.#ending || this.#finished || this.destroyed || this.writableLength > 0) return;
    this.#finished = true;
    this.otherEnd?.ended();
    this.#destroyWhenOver();
  }

  #destroyWhenOver(): void {
    if (this.#finished && !this.readable) this.tearDown();
  }

  #read(): void {
    for (let [first] = this.#inbound; first !== undefined; [first] = this.#inbound) {
      if (this.destroyed || !this.readable || (first !== END && !this.#isFlowing)) return;
      this.#inbound.shift();
      if (first === END) this.#end();
      else this.#give(first);
    }
  }

  #give({ frames }: FakeChunk): void {
    const { reader } = this;
    if (reader === null) return;
    for (const [index, read] of frames.entries()) {
      read(reader);
      if (this.#isFlowing) continue;
      // The remaining frames go back, as `returnUnread` puts them back.
      this.#inbound.unshift({ bytes: 0, frames: frames.slice(index + 1) });
      return;
    }
  }

  #end(): void {
    this.readable = false;
    this.tell('end', () => this.emit('end'));
    this.#destroyWhenOver();
  }

  /** Emits the error, then fails the pending writes: the order of Node.js. */
  #breakDown(error: Error | undefined): void {
    if (error !== undefined) this.tell('error', () => this.emit('error', error));
    const lost = this.#writes;
    this.#writes = [];
    for (const write of lost) this.#failWrite(write, systemError('ERR_STREAM_DESTROYED'));
  }

  #failWrite({ kind, written }: PendingWrite, error: Error): void {
    if (written === undefined) return;
    if (kind === 'pong' || kind === 'close') written(error);
    else this.tell('send-error', () => written(error));
  }

  #close(): void {
    this.closed = true;
    this.readable = false;
    const close = () => this.emit('close', this.errored !== null);
    this.tell('close', close);
    if (this.#quirks.closesTwice) this.tell('close', close);
  }

  /** Chunks that arrived and were not read. */
  takeUnread(): FakeChunk[] {
    return this.#inbound.splice(0).filter((chunk) => chunk !== END);
  }

  /** Notifies the code under test. An error that it throws is recorded and goes no further. */
  tell(sign: FakeSign, run: () => void): void {
    const { watcher } = this;
    watcher?.telling(this, sign);
    try {
      run();
    } catch (thrown) {
      if (watcher === null) throw thrown;
      watcher.threw(this, sign, thrown);
    }
    watcher?.told(this, sign);
  }
}

/** How many questions of the beat the written bytes contain. */
function beatsIn(kind: FakeFrameKind, bytes: Uint8Array | string | number): number {
  if (kind !== 'data' || !(bytes instanceof Uint8Array) || !bytes.includes(BEAT)) return 0;
  return payloadsIn(bytes).filter(({ length, 0: first }) => length === 1 && first === BEAT).length;
}

/** An error as Node.js makes it, for a system call if there was one. */
export function systemError(code = 'ECONNRESET', syscall?: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code, ...(syscall && { syscall }) });
}
