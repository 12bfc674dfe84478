import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { headerLines } from '../connection/http-answer.ts';
import { SupervisedSocket, socketOptions } from '../connection/socket.ts';
import { agreedSubprotocol } from '../core/beat.ts';
import { toError } from '../core/errors.ts';
import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import type { Limits } from '../core/limits.ts';
import type { UpgradeRequest, UpgradeResult } from './accepted-port.ts';

/** Turns admitted upgrade requests into WebSockets. */
export interface Upgrader {
  /** Writes 101 and binds a WebSocket, all within this call. */
  complete(upgrade: UpgradeRequest): UpgradeResult;
}

/** The upgrader that goes through ws. */
export class WsUpgrader implements Upgrader {
  readonly #server: WebSocketServer;
  #fault: RefusalAnswer | null = null;
  /** Of the upgrade that is being completed. */
  #headers: AnswerHeaders | undefined;

  constructor(limits: Readonly<Limits>, subprotocols: readonly string[]) {
    const options: ServerOptions = {
      noServer: true,
      clientTracking: false,
      WebSocket: SupervisedSocket as typeof WebSocket,
      ...socketOptions(limits),
      handleProtocols: (offered: Set<string>) => agreedSubprotocol(offered, subprotocols),
    };
    this.#server = new WebSocketServer(options);
    this.#server.on('wsClientError', (error) => {
      this.#fault = { cause: 'bad-request', status: 400, body: error.message };
    });
    this.#server.on('headers', (lines) => {
      if (this.#headers !== undefined) lines.push(...headerLines(this.#headers));
    });
  }

  /** ws stays silent when the socket has died meanwhile: then the answer is `null`. */
  complete({ request, socket, head, answerHeaders }: UpgradeRequest): UpgradeResult {
    this.#fault = null;
    this.#headers = answerHeaders;
    let bound: SupervisedSocket | null = null;
    try {
      this.#server.handleUpgrade(request, socket, head, (upgraded) => {
        bound = upgraded as SupervisedSocket;
      });
    } catch (thrown) {
      // Another WebSocket server listens for `upgrade` on the same HTTP server and was first.
      return toError(thrown);
    }
    return bound ?? this.#fault;
  }
}
