const BACKOFF_FIRST_MS = 1_600;
const BACKOFF_MAX_MS = 8_000;
const ATTEMPTS_MAX = 12;
/** A connection that is lost sooner than this counts as one more failed attempt. */
const STABLE_MS = 4_000;
const TURNED_AWAY = [400, 401, 403];

/**
 * The WebSocket of this tab, dialed again after each loss.
 *
 * `observer.changed` gets `{ state, … }` with `dialing`, `open`, `waiting`, `left`, `refused` or `exhausted`;
 * `observer.received` gets every message.
 */
export class Wire {
  #observer;
  #name = '';
  #socket = null;
  #attempt = 0;
  #retry = 0;

  constructor(observer) {
    this.#observer = observer;
  }

  /** Connects under a name, and says goodbye under the one before. */
  dial(name) {
    this.#name = name;
    this.#attempt = 0;
    this.#letGo('under another name');
    this.#dial();
  }

  /** Says goodbye and stays away. */
  leave(reason) {
    this.#letGo(reason);
    this.#tell({ state: 'left' });
  }

  send(message) {
    return this.sendText(JSON.stringify(message));
  }

  sendText(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  #letGo(reason) {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000, reason);
  }

  #dial() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}${this.#target()}`);
    let openedAt = 0;
    this.#socket = socket;
    this.#tell({ state: 'dialing' });
    const heard = (type, listener) =>
      socket.addEventListener(type, (event) => socket === this.#socket && listener(event));
    heard('open', () => {
      openedAt = performance.now();
      this.#tell({ state: 'open' });
    });
    heard('message', ({ data }) => this.#observer.received(JSON.parse(data)));
    heard('close', (event) => this.#socketOnClose(event, openedAt));
  }

  #target() {
    return `/ws?${new URLSearchParams({ name: this.#name })}`;
  }

  async #socketOnClose({ code, reason }, openedAt) {
    const socket = this.#socket;
    const refusal = openedAt === 0 ? await this.#askWhy() : undefined;
    if (socket !== this.#socket) return;
    this.#socket = null;
    if (refusal !== undefined) {
      this.#tell({ state: 'refused', refusal });
      return;
    }
    if (openedAt > 0 && performance.now() - openedAt > STABLE_MS) this.#attempt = 0;
    this.#retryLater({ code, reason, wasOpen: openedAt > 0 });
  }

  /** A page is not told why its upgrade was refused, so it asks the same question as a plain request. */
  async #askWhy() {
    try {
      const answer = await fetch(this.#target());
      return TURNED_AWAY.includes(answer.status) ? await answer.text() : undefined;
    } catch {
      return undefined;
    }
  }

  #retryLater(loss) {
    if (this.#attempt >= ATTEMPTS_MAX) {
      this.#tell({ state: 'exhausted', ...loss });
      return;
    }
    const ceilingMs = Math.min(BACKOFF_FIRST_MS * 2 ** this.#attempt, BACKOFF_MAX_MS);
    const delayMs = Math.round(ceilingMs * (0.5 + 0.5 * Math.random()));
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#dial(), delayMs);
    this.#tell({ state: 'waiting', delayMs, attempt: this.#attempt, ...loss });
  }

  #tell(change) {
    this.#observer.changed(change);
  }
}
