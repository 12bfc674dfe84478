import { createClient, jsonCodec } from 'mooring/client';

/** Below the defaults: whoever watches wants to see what comes next. */
const BACKOFF = { minMs: 500, maxMs: 8_000, stableMs: 4_000 };
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
 * The client of this tab: one for each name, because the name is part of the address.
 *
 * The observer hears `changed` with every status, `ended` with every ending, `received` with every message of the
 * server, and `settled` with what became of a message that was posted.
 */
export class Wire {
  #observer;
  #client;
  #name = '';
  #wasUp = false;
  /** Why the server does not let this name in. */
  #refusal;
  /** Messages that a client gave up; why has been told. */
  #dropped = new WeakSet();

  constructor(observer) {
    this.#observer = observer;
  }

  /** Connects under a name, and says goodbye under the one before. What waits is taken along. */
  dial(name) {
    const before = this.#client;
    this.#name = name;
    this.#wasUp = false;
    this.#refusal = undefined;
    this.#client = this.#makeClient();
    before?.close(1000, 'under another name');
  }

  /** Connects at once. A client that waits cannot be hurried, so another one takes its place. */
  dialNow() {
    this.dial(this.#name);
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

  #makeClient() {
    const client = createClient(this.#address('ws'), {
      backoff: BACKOFF,
      queueMax: WAITING_MAX,
      codec,
    });
    const whileOurs = (listener) => (value) => {
      if (client === this.#client) listener(value);
    };
    client.endings$.subscribe(whileOurs((ending) => this.#clientOnEnding(client, ending)));
    client.status$.subscribe(whileOurs((status) => this.#clientOnStatus(status)));
    client.messages$.subscribe(whileOurs((message) => this.#observer.received(message)));
    client.events$.subscribe((event) => this.#clientOnEvent(client, event));
    return client;
  }

  #clientOnStatus(status) {
    if (status.state === 'up') this.#wasUp = true;
    this.#observer.changed({ ...status, refusal: this.#refusal });
  }

  #clientOnEnding(client, ending) {
    this.#observer.ended(ending);
    const isPuzzling = ending.outcome === 'failed' && ending.failure.cause === 'undisclosed';
    if (isPuzzling && !this.#wasUp) void this.#askWhy(client);
  }

  #clientOnEvent(client, event) {
    // A client keeps what its subscribers throw away from its connection, and only tells it.
    if (event.type === 'handler.errored') reportError(event.error);
    if (event.type !== 'message.dropped') return;
    const { message, reason } = event;
    this.#dropped.add(message);
    if (client !== this.#client && reason === 'stopped') void this.post(message);
    else this.#observer.settled(message, reason);
  }

  /** A page is not told why its upgrade was refused, so it asks the same question as a plain request. */
  async #askWhy(client) {
    const answer = await fetch(this.#address('http')).catch(() => undefined);
    if (!TURNED_AWAY.includes(answer?.status)) return;
    const refusal = await answer.text();
    if (client !== this.#client) return;
    this.#refusal = refusal.trim();
    client.close();
  }

  #address(scheme) {
    const secure = location.protocol === 'https:' ? 's' : '';
    return `${scheme}${secure}://${location.host}/ws?${new URLSearchParams({ name: this.#name })}`;
  }
}
