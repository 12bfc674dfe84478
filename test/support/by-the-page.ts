import { WebSocket } from 'ws';

/** What a server has told about a topic. */
export interface ToldOn {
  readonly topic: string;
  readonly recovered: boolean;
  readonly cause: string;
}

/** A Mooring client written by `docs/protocol.md` alone, on a plain WebSocket. It resumes topics where an earlier one was. */
export class ByThePage {
  readonly positions: Map<string, string>;
  readonly messages: unknown[] = [];
  readonly told: ToldOn[] = [];
  /** Every text that has arrived, with headings and beats. */
  readonly texts: string[] = [];
  readonly socket: WebSocket;
  /** The code of the close frame; 0 while the connection is open. */
  closeCode = 0;
  hasGone = false;
  #next: { readonly topic: string; readonly position: string } | null = null;
  /** What it sends before its first answer to a beat, unless that is where it was. */
  #first: readonly (string | Uint8Array)[] | null;

  /** @param first - for a client that breaks the rules. */
  constructor(
    url: string,
    positions: Iterable<readonly [string, string]> = [],
    first?: readonly (string | Uint8Array)[],
  ) {
    this.positions = new Map(positions);
    this.#first = first ?? fromHeadings(this.positions);
    this.socket = new WebSocket(url, ['mooring.v1']);
    this.socket.on('error', () => {});
    this.socket.on('close', (code) => {
      this.closeCode = code;
    });
    this.socket.on('message', (data) => this.#heard(String(data)));
  }

  #heard(text: string): void {
    this.texts.push(text);
    if (text === '\u0005') this.#answer();
    else if (text.startsWith('\u0001')) this.#heading(JSON.parse(text.slice(1)));
    else if (text !== '\u0006') this.#message(JSON.parse(text));
  }

  #answer(): void {
    for (const text of this.#first ?? []) this.socket.send(text, { binary: false });
    this.#first = null;
    this.socket.send('\u0006');
  }

  #heading([word, topic, position, recovered, cause]: [
    string,
    string,
    string,
    boolean,
    string,
  ]): void {
    if (word === 'at') this.#next = { topic, position };
    if (word === 'on') this.told.push({ topic, recovered, cause });
    if (word === 'on' || word === 'still') this.positions.set(topic, position);
    if (word === 'off') this.positions.delete(topic);
    if (word === 'go') this.hasGone = true;
  }

  #message(message: unknown): void {
    this.messages.push(message);
    if (this.#next !== null) this.positions.set(this.#next.topic, this.#next.position);
    this.#next = null;
  }
}

function fromHeadings(positions: ReadonlyMap<string, string>): string[] {
  if (positions.size === 0) return [];
  return [`\u0001${JSON.stringify(['from', Object.fromEntries(positions)])}`];
}
