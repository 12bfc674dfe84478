import type {
  NativeCloseEvent,
  NativeWebSocket,
  NativeWebSocketConstructor,
} from '../../../src/transport/browser-transport.ts';
import { type Fate, heartbeat, isAlive } from './fate.ts';
import { Line, type LineParts } from './line.ts';

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** Returns the class `WebSocket` of a simulated page. */
export function pageSocketClass(parts: LineParts, fateOf: () => Fate): NativeWebSocketConstructor {
  return class extends PageSocket {
    constructor() {
      super(parts, fateOf());
    }
  };
}

/** The WebSocket of a page. No event reports that its backlog has left, and all its endings cause the same event. */
class PageSocket implements NativeWebSocket {
  readonly protocol = '';
  readyState = CONNECTING;
  binaryType = '';
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  onclose: ((event: NativeCloseEvent) => void) | null = null;
  onerror: (() => void) | null = null;

  readonly #parts: LineParts;
  readonly #fate: Fate;
  readonly #line: Line;

  constructor(parts: LineParts, fate: Fate) {
    this.#parts = parts;
    this.#fate = fate;
    this.#line = new Line(parts, fate.isStill);
    this.#line.onRead = (payload) => {
      if (payload === heartbeat.message && isAlive(fate)) this.#say(heartbeat.answer);
    };
    this.#later(fate.afterMs, () => {
      if (fate.attempt === 'opens') this.#open();
      else if (fate.attempt !== 'hangs') this.#close({ code: 1006, reason: '', wasClean: false });
    });
  }

  #open(): void {
    const { end, endsAfterMs, closeCode } = this.#fate;
    this.readyState = OPEN;
    this.onopen?.();
    this.#speak();
    this.#later(endsAfterMs, () => {
      if (end === 'silence') this.#line.cut();
      else if (end === 'close') this.#close({ code: closeCode, reason: 'bye', wasClean: true });
      else if (end !== 'never') this.#close({ code: 1006, reason: '', wasClean: false });
    });
  }

  #say(data: string): void {
    this.#later(15, () => {
      if (this.readyState === OPEN) this.onmessage?.({ data });
    });
  }

  #speak(): void {
    const { speaksEveryMs } = this.#fate;
    if (speaksEveryMs === 0) return;
    this.#later(this.#parts.random.integer(1, 2 * speaksEveryMs), () => {
      if (this.readyState === OPEN) this.onmessage?.({ data: '"news"' });
      this.#speak();
    });
  }

  /** What has not left by now remains in `bufferedAmount`. */
  #close(event: NativeCloseEvent): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#line.cut();
    this.onclose?.(event);
  }

  get bufferedAmount(): number {
    return this.#line.bufferedBytes;
  }

  send(data: string): void {
    if (this.readyState !== OPEN) throw new Error('sent on a socket that is not open');
    this.#line.write(data, data.length);
  }

  close(code = 1005): void {
    if (this.readyState >= CLOSING) return;
    const wasOpen = this.readyState === OPEN;
    this.readyState = CLOSING;
    const wasClean = wasOpen && this.#fate.answers && this.#fate.end !== 'silence';
    // A browser gives up by itself after a while.
    const afterMs = wasClean || !wasOpen ? 30 : 2_000;
    this.#later(afterMs, () => this.#close({ code: wasClean ? code : 1006, reason: '', wasClean }));
  }

  #later(delayMs: number, act: () => void): void {
    const { clock } = this.#parts;
    clock.arriveAt(clock.now() + delayMs, () => {
      if (this.readyState !== CLOSED) act();
    });
  }
}
