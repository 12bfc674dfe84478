import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Inbound } from './contract.ts';
import { CLOSE, clientFrame, closePayload, PING, PONG, TEXT, takeFrame } from './guest-frames.ts';

/** Where a guest connects, and the callbacks. */
export interface GuestClientOptions {
  readonly port: number;
  /** Path and query of the upgrade request. */
  readonly target: string;
  readonly subprotocol?: string;
  /** The first message has arrived. */
  readonly onWelcome: () => void;
  /** The TCP connection is gone. */
  readonly onEnd: () => void;
}

const HEAD_END = '\r\n\r\n';
const LOOPBACK = '127.0.0.1';

/**
 * A WebSocket client on a plain TCP socket.
 *
 * Browsers and regular clients cannot reset TCP, withhold pongs or send invalid frames. This client can.
 */
export class GuestClient {
  readonly #options: GuestClientOptions;
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #isWelcomed = false;
  #isFrozen = false;

  constructor(options: GuestClientOptions) {
    this.#options = options;
    this.#socket = connect({ host: LOOPBACK, port: options.port });
    this.#socket.on('connect', () => this.#socketOnConnect());
    this.#socket.on('data', (chunk) => this.#socketOnData(chunk));
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => options.onEnd());
  }

  send(message: Inbound): void {
    this.sendBytes(clientFrame(TEXT, Buffer.from(JSON.stringify(message))));
  }

  sendBytes(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  close(code: number, reason: string): void {
    this.sendBytes(clientFrame(CLOSE, closePayload(code, reason)));
  }

  /** Resets TCP without a close frame. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Keeps reading, but no longer answers pings or close frames. */
  freeze(): void {
    this.#isFrozen = true;
  }

  stopReading(): void {
    this.#socket.pause();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #socketOnConnect(): void {
    const { target, port, subprotocol } = this.#options;
    const head = [
      `GET ${target} HTTP/1.1`,
      `Host: ${LOOPBACK}:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
    ];
    this.#socket.write(head.join('\r\n') + HEAD_END);
  }

  #socketOnData(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#isUpgraded) this.#takeHead();
    if (this.#isUpgraded) this.#takeFrames();
  }

  #takeHead(): void {
    const end = this.#bytes.indexOf(HEAD_END);
    if (end === -1) return;
    this.#isUpgraded = this.#bytes.toString('latin1', 0, end).startsWith('HTTP/1.1 101');
    this.#bytes = this.#bytes.subarray(end + HEAD_END.length);
    if (!this.#isUpgraded) this.#socket.destroy();
  }

  #takeFrames(): void {
    for (let frame = takeFrame(this.#bytes); frame !== null; frame = takeFrame(this.#bytes)) {
      this.#bytes = frame.rest;
      this.#received(frame.opcode, frame.payload);
    }
  }

  #received(opcode: number, payload: Buffer): void {
    if (opcode === TEXT && !this.#isWelcomed) {
      this.#isWelcomed = true;
      this.#options.onWelcome();
    }
    if (this.#isFrozen) return;
    if (opcode === PING) this.sendBytes(clientFrame(PONG, payload));
    if (opcode === CLOSE) this.sendBytes(clientFrame(CLOSE, payload.subarray(0, 2)));
  }
}
