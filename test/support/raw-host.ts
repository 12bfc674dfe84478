import { RawEnd } from './raw-end.ts';
import type { Script, Visit } from './rogue-server.ts';

/** The server's end of a WebSocket over a plain TCP socket: the counterpart of `RawPeer`. */
export class RawHost extends RawEnd {
  /** The upgrade request. Empty before it has arrived. */
  request = '';
  readonly #visit: Visit;

  constructor(visit: Visit) {
    super(visit.socket, 'server');
    this.#visit = visit;
    visit.socket.setNoDelay();
    visit.asked((request) => {
      this.request = request;
    });
  }

  /** Accepts every request and adds its connection to `hosts`. */
  static accepting(hosts: RawHost[]): Script {
    return (visit) => {
      const host = new RawHost(visit);
      visit.asked(() => {
        host.accept();
        hosts.push(host);
      });
    };
  }

  /** The answer that accepts the request. */
  get acceptance(): string {
    return this.#visit.acceptance(this.request);
  }

  /** Answers the request with 101, and further headers. */
  accept(...headers: readonly string[]): void {
    this.answer(this.#visit.acceptance(this.request, ...headers));
    this.socket.on('data', (chunk: Buffer) => this.read(chunk));
  }

  /** Answers the request with any text. */
  answer(answer: string): void {
    this.socket.write(answer);
  }
}
