import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { toError } from '../core/errors.ts';
import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import type { Limits } from '../core/limits.ts';
import { agreedSubprotocol } from '../core/subprotocol.ts';
import { SupervisedSocket, socketOptions } from '../transport/supervised-socket.ts';
import { headerLines } from '../transport/upgrade.ts';
import type { UpgradeRequest, UpgradeResult } from './inbound-connection.ts';

/** Turns admitted upgrade requests into WebSockets. */
export interface Upgrader {
  /** Writes 101 and binds a WebSocket, all within this call. */
  complete(upgrade: UpgradeRequest): UpgradeResult;
}

/** The upgrader that uses ws. */
export class WsUpgrader implements Upgrader {
  readonly #server: WebSocketServer;
  #fault: RefusalAnswer | null = null;
  /** Headers of the upgrade that is being completed. */
  #headers: AnswerHeaders | undefined;
  #isRefused = false;

  constructor(limits: Readonly<Limits>, subprotocols: readonly string[]) {
    const options: ServerOptions = {
      noServer: true,
      clientTracking: false,
      WebSocket: SupervisedSocket as typeof WebSocket,
      ...socketOptions(limits),
      handleProtocols: (offered: Set<string>) =>
        agreedSubprotocol(offered, subprotocols) || (this.#isRefused && firstOf(offered)),
    };
    this.#server = new WebSocketServer(options);
    this.#server.on('wsClientError', (error) => {
      this.#fault = { cause: 'bad-request', status: 400, body: error.message };
    });
    this.#server.on('headers', (lines) => {
      if (this.#headers !== undefined) lines.push(...headerLines(this.#headers));
    });
  }

  /** Returns `null` if the socket has died meanwhile; ws then does nothing. */
  complete(upgrade: UpgradeRequest): UpgradeResult {
    const { request, socket, head, answerHeaders, isRefused = false } = upgrade;
    this.#fault = null;
    this.#headers = answerHeaders;
    this.#isRefused = isRefused;
    let bound: SupervisedSocket | null = null;
    try {
      this.#server.handleUpgrade(request, socket, head, (upgraded) => {
        bound = upgraded as SupervisedSocket;
      });
    } catch (thrown) {
      // Another WebSocket server on the same HTTP server has upgraded this socket already.
      return toError(thrown);
    }
    return bound ?? this.#fault;
  }
}

/**
 * Names the first subprotocol. A browser fails a connection without any of its subprotocols and does not read the close frame.
 */
function firstOf(offered: ReadonlySet<string>): string | false {
  const [first = false] = offered;
  return first;
}
