import { createClient, jsonCodec } from 'mooring/client';

/** Timeouts for a demo: below the defaults, so that you see each consequence within seconds. */
const demoOptions = {
  backoff: { minMs: 500, maxMs: 8_000, stableMs: 4_000 },
  heartbeat: { intervalMs: 4_000, graceMs: 4_000 },
  timeouts: { handshakeMs: 5_000, closeMs: 2_000 },
};
/** Small, so that you can see what happens when the queue is full. */
export const QUEUE_MAX = 5;
const REFUSAL_STATUSES = [400, 401, 403];

const json = jsonCodec();
/** Sends strings unchanged, because some buttons send invalid JSON. */
const codec = {
  ...json,
  encode: (message) => (typeof message === 'string' ? message : json.encode(message)),
};

/**
 * The client of this tab.
 *
 * It calls these methods of its observer: `opened` with every new connection, to send the first messages; `changed` with
 * every status; `ended` with every ending; `received` with every message; and `settled` with the result of each message
 * that was given to `post`. It calls `recovered` for each room that the server joins it to: before the lines that come next.
 */
export class LobbyClient {
  #observer;
  #client;
  #name = '';
  #isNameAccepted = false;
  /** Why the server refused the name. */
  #refusal;
  /** Messages that the client dropped and that are settled already. */
  #dropped = new WeakSet();

  constructor(observer) {
    this.#observer = observer;
  }

  /** Connects with a name. The name is part of the URL, so a connection with another name is closed first. */
  dial(name) {
    this.#name = name;
    this.#isNameAccepted = false;
    this.#refusal = undefined;
    const connection = this.#client?.connection;
    if (connection === undefined) this.dialNow();
    else if (this.#isOutdated) connection.close(1000, 'name changed');
  }

  /** Dials at once. A client that was closed or has crashed is replaced. */
  dialNow() {
    const { state, gaveUp } = this.#client?.status ?? { state: 'stopped' };
    if (state === 'stopped' || gaveUp === 'crash') this.#createClient();
    else this.#client.dialNow();
  }

  /** Closes the connection and does not reconnect. */
  leave(reason) {
    this.#client.close(1000, reason);
  }

  /** Sends a message, or drops it if there is no connection. */
  send(message) {
    this.#client.send(message, { queue: false });
  }

  /** Sends a message, or queues it until there is a connection. */
  async post(message) {
    const result = await this.#client.sendAndFlush(message);
    if (!this.#dropped.delete(message)) this.#observer.settled(message, result);
  }

  /** The latest lines of a room, oldest first. Rejects if the server does not answer in time. */
  async latest(room) {
    const { lines } = await this.#client.request({ type: 'latest', room });
    return lines;
  }

  #createClient() {
    this.#client = createClient(() => this.#address('ws'), {
      ...demoOptions,
      mooring: true,
      // It goes on where the previous client was. A page that reloads has lost its lines, so it does not: it loads them.
      positions: this.#client?.positions,
      codec,
      queueMax: QUEUE_MAX,
      retry: (ending, suggested) => (isFaultOfThisTab(ending) ? 'never' : suggested),
      onOpen: (connection) => this.#clientOnOpen(connection),
    });
    this.#client.endings$.subscribe((ending) => this.#clientOnEnding(ending));
    this.#client.status$.subscribe((status) => this.#clientOnStatus(status));
    this.#client.recoveries$.subscribe((recovery) => this.#observer.recovered(recovery));
    this.#client.messages$.subscribe((message) => this.#observer.received(message));
    this.#client.events$.subscribe((event) => this.#clientOnEvent(event));
  }

  #clientOnOpen(connection) {
    if (this.#isOutdated) {
      connection.close(1000, 'name changed');
    } else {
      this.#isNameAccepted = true;
      this.#observer.opened(connection);
    }
  }

  #clientOnStatus(status) {
    // A new client is idle until it dials. Until then, keep the status of the previous one.
    if (status.state === 'idle') return;
    this.#observer.changed({ ...status, refusal: this.#refusal });
  }

  #clientOnEnding(ending) {
    this.#observer.ended(ending);
    const isUnexplained = ending.outcome === 'failed' && ending.failure.cause === 'undisclosed';
    if (this.#isOutdated) this.#client.dialNow();
    else if (isUnexplained && !this.#isNameAccepted) void this.#fetchRefusal();
  }

  #clientOnEvent(event) {
    // Errors of subscribers do not end the connection. The client only reports them.
    if (event.type === 'handler.errored') reportError(event.error);
    if (event.type !== 'message.dropped') return;
    this.#dropped.add(event.message);
    this.#observer.settled(event.message, event.reason);
  }

  /** Browsers hide the answer to a refused upgrade, so a plain request fetches the reason. */
  async #fetchRefusal() {
    const url = this.#address('http');
    const response = await fetch(url).catch(() => undefined);
    if (!REFUSAL_STATUSES.includes(response?.status)) return;
    const refusal = await response.text();
    if (url !== this.#address('http')) return;
    this.#refusal = refusal.trim();
    this.#client.close();
  }

  /** Whether the latest attempt used a name that has changed since. */
  get #isOutdated() {
    return this.#client.url !== this.#address('ws');
  }

  #address(scheme) {
    const secure = location.protocol === 'https:' ? 's' : '';
    return `${scheme}${secure}://${location.host}/ws?${new URLSearchParams({ name: this.#name })}`;
  }
}

/** Whether this tab broke a rule. Then it reconnects only when the user asks for it. */
function isFaultOfThisTab({ outcome, verdict }) {
  return outcome === 'closed' && verdict.origin === 'peer' && [1008, 1009].includes(verdict.code);
}
