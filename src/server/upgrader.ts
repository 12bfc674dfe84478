import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { SupervisedSocket } from '../connection/socket.ts';
import { toError } from '../core/errors.ts';
import type { RefusalAnswer } from '../core/failure.ts';
import type { Limits } from '../core/limits.ts';
import type { UpgradeRequest, UpgradeResult } from './accepted-port.ts';

/** ws's own close timer must never be the one that decides: every state has a deadline of ours. */
const CLOSE_TIMEOUT_MS = 2 ** 31 - 1;

/** Pings answered at once; ws gives up a peer that sends more before the answers have left. */
const PENDING_PONGS_MAX = 60;

/** Turns admitted upgrade requests into WebSockets. */
export interface Upgrader {
  /** Writes 101 and binds a WebSocket, all within this call. */
  complete(upgrade: UpgradeRequest): UpgradeResult;
}

/** The upgrader that goes through ws. */
export class WsUpgrader implements Upgrader {
  readonly #server: WebSocketServer;
  #fault: RefusalAnswer | null = null;

  constructor(limits: Readonly<Limits>, subprotocols: readonly string[]) {
    const options: UpgraderOptions = {
      noServer: true,
      clientTracking: false,
      WebSocket: SupervisedSocket as typeof WebSocket,
      // Off, and no option: it costs 255 KiB per connection (measured).
      perMessageDeflate: false,
      maxPayload: limits.payloadBytesMax,
      maxFragments: limits.fragmentsMax,
      maxBufferedChunks: limits.bufferedChunksMax,
      maxPendingAutoPongs: PENDING_PONGS_MAX,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: (offered: Set<string>) =>
        subprotocols.find((subprotocol) => offered.has(subprotocol)) ?? false,
    };
    this.#server = new WebSocketServer(options);
    this.#server.on('wsClientError', (error) => {
      this.#fault = { cause: 'bad-request', status: 400, body: error.message };
    });
  }

  /** ws stays silent when the socket has died meanwhile: then the answer is `null`. */
  complete({ request, socket, head }: UpgradeRequest): UpgradeResult {
    this.#fault = null;
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

/** Options that ws has had since 8.19 and 8.23; its published types do not know them all yet. */
interface UpgraderOptions extends ServerOptions {
  closeTimeout: number;
  maxFragments: number;
  maxBufferedChunks: number;
  maxPendingAutoPongs: number;
}
