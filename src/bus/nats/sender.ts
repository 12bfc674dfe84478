import { longName } from '../../core/short-name.ts';

/** How many senders are remembered. A process is another sender each time it starts. */
const SENDERS_MAX = 10_000;

/** The form of the reply subject that names a sender and its connection. */
const form = /^([0-9a-z]{12})\.(\d+)$/;

/** The sender of a link, in the reply subject of what it publishes: its name, and the number of its connection. */
export class Sender {
  readonly name = longName();
  #connection = 0;
  #mark = '';

  get mark(): string {
    return this.#mark;
  }

  /** The link is up again, over another connection. */
  connected(): void {
    this.#connection += 1;
    this.#mark = `${this.name}.${this.#connection}`;
  }
}

/**
 * Refuses what comes late. A server that was frozen may still read what a lost connection has sent, after what the next one of
 * the same sender sends. It also gives that to the sender itself, because it only spares the connection that has sent it.
 */
export class Senders {
  readonly #own: Sender;
  /** The number of the latest connection of each sender, the oldest sender first. */
  readonly #connections = new Map<string, number>();
  /** The latest that was accepted. Often, the next message has the same. */
  #mark = '';

  /** @param own - the sender of this link */
  constructor(own: Sender) {
    this.#own = own;
  }

  /** Whether a message is not late. Other programs set no mark, so theirs never are. */
  accepts(mark: string | undefined): boolean {
    if (mark === this.#mark) return true;
    const [, name, number] = form.exec(mark ?? '') ?? [];
    if (name === undefined) return true;
    if (name === this.#own.name) return false;
    const connection = Number(number);
    const latest = this.#connections.get(name) ?? 0;
    if (connection < latest) return false;
    if (connection > latest) this.#remember(name, connection);
    this.#mark = mark ?? '';
    return true;
  }

  #remember(name: string, connection: number): void {
    this.#connections.delete(name);
    this.#connections.set(name, connection);
    if (this.#connections.size <= SENDERS_MAX) return;
    const [oldest] = this.#connections.keys();
    if (oldest !== undefined) this.#connections.delete(oldest);
  }
}
