import { createClient, jsonCodec } from 'mooring/client';

/** Below the defaults: whoever watches wants to see what comes next. */
const impatience = {
  backoff: { minMs: 500, maxMs: 8_000, stableMs: 4_000 },
  heartbeat: { intervalMs: 4_000, graceMs: 4_000 },
  timeouts: { handshakeMs: 5_000, closeMs: 2_000 },
};
/** Few, so that it can be seen what becomes of one too many. */
export const WAITING_MAX = 5;
const TURNED_AWAY = [400, 401, 403];

const json = jsonCodec();
/** A string goes as it is: some mischief is no JSON. */
const codec = {
  ...json,
  encode: (message) => (typeof message === 'string' ? message : json.encode(message)),
};

/**
 * The client of this tab.
 *
 * The observer hears `opened` with every connection, to say what has to be said first, `changed` with every status,
 * `ended` with every ending, `received` with every message of the server, and `settled` with what became of a message
 * that was posted.
 */
export class Wire {
  #observer;
  #client;
  #name = '';
  #isNameKnown = false;
  /** Why the server does not let this name in. */
  #refusal;
  /** Messages that the client gave up; why has been told. */
  #dropped = new WeakSet();

  constructor(observer) {
    this.#observer = observer;
  }

  /** Connects under a name. The name is part of the address, so what is open under another one is closed. */
  dial(name) {
    this.#name = name;
    this.#isNameKnown = false;
    this.#refusal = undefined;
    const connection = this.#client?.connection;
    if (connection === undefined) this.dialNow();
    else if (this.#isOutdated) connection.close(1000, 'under another name');
  }

  /** Dials at once. A client that has left dials no more: another one takes its place. */
  dialNow() {
    const { state, gaveUp } = this.#client?.status ?? { state: 'stopped' };
    if (state === 'stopped' || gaveUp === 'crash') this.#begin();
    else this.#client.dialNow();
  }

  /** Says goodbye and stays away. */
  leave(reason) {
    this.#client.close(1000, reason);
  }

  /** Sends a message now or never. */
  send(message) {
    this.#client.send(message, { queue: false });
  }

  /** Sends a message as soon as there is a connection. */
  async post(message) {
    const result = await this.#client.sendAndFlush(message);
    if (!this.#dropped.delete(message)) this.#observer.settled(message, result);
  }

  #begin() {
    this.#client = createClient(() => this.#address('ws'), {
      ...impatience,
      beat: true,
      codec,
      queueMax: WAITING_MAX,
      retry: (ending, suggested) => (isOwnFault(ending) ? 'never' : suggested),
      onOpen: (connection) => this.#clientOnOpen(connection),
    });
    this.#client.endings$.subscribe((ending) => this.#clientOnEnding(ending));
    this.#client.status$.subscribe((status) => this.#clientOnStatus(status));
    this.#client.messages$.subscribe((message) => this.#observer.received(message));
    this.#client.events$.subscribe((event) => this.#clientOnEvent(event));
  }

  #clientOnOpen(connection) {
    if (this.#isOutdated) {
      connection.close(1000, 'under another name');
    } else {
      this.#isNameKnown = true;
      this.#observer.opened(connection);
    }
  }

  #clientOnStatus(status) {
    // Of a client that has not begun there is nothing to see, and what can be seen is still true.
    if (status.state === 'idle') return;
    this.#observer.changed({ ...status, refusal: this.#refusal });
  }

  #clientOnEnding(ending) {
    this.#observer.ended(ending);
    const isPuzzling = ending.outcome === 'failed' && ending.failure.cause === 'undisclosed';
    if (this.#isOutdated) this.#client.dialNow();
    else if (isPuzzling && !this.#isNameKnown) void this.#askWhy();
  }

  #clientOnEvent(event) {
    // A client keeps what its subscribers throw away from its connection, and only tells it.
    if (event.type === 'handler.errored') reportError(event.error);
    if (event.type !== 'message.dropped') return;
    this.#dropped.add(event.message);
    this.#observer.settled(event.message, event.reason);
  }

  /** A page is not told why its upgrade was refused, so it asks the same question as a plain request. */
  async #askWhy() {
    const question = this.#address('http');
    const answer = await fetch(question).catch(() => undefined);
    if (!TURNED_AWAY.includes(answer?.status)) return;
    const refusal = await answer.text();
    if (question !== this.#address('http')) return;
    this.#refusal = refusal.trim();
    this.#client.close();
  }

  /** Whether the latest attempt went under a name that this tab has given up since. */
  get #isOutdated() {
    return this.#client.url !== this.#address('ws');
  }

  #address(scheme) {
    const secure = location.protocol === 'https:' ? 's' : '';
    return `${scheme}${secure}://${location.host}/ws?${new URLSearchParams({ name: this.#name })}`;
  }
}

/** Whether this tab did what the server does not accept. It comes back when its user asks for it. */
function isOwnFault({ outcome, verdict }) {
  return outcome === 'closed' && verdict.origin === 'peer' && [1008, 1009].includes(verdict.code);
}
