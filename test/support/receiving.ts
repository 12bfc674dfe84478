import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import type { CloseFrame } from '../../src/core/close-code.ts';
import * as defaults from '../../src/core/defaults.ts';
import type { Limits } from '../../src/core/limits.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { Reads } from '../../src/transport/reads.ts';
import type { UnfinishedMessages } from '../../src/transport/reassembly.ts';
import { SupervisedSocket, socketOptions } from '../../src/transport/supervised-socket.ts';
import type { MessageRefusal, SocketObserver } from '../../src/transport/transport.ts';
import { internalsOf, type WsReceiver } from '../../src/transport/ws-receiver.ts';

/** What several sockets of one supervisor share, on virtual time. */
export class Reception {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, 100);
  readonly reads: Reads;

  constructor({
    bytesMax = Number.POSITIVE_INFINITY,
    ...limits
  }: Partial<Limits> & { bytesMax?: number } = {}) {
    this.reads = new Reads(
      {
        clock: this.clock,
        wheel: this.wheel,
        limits: { ...defaults.limits, ...limits },
        timeouts: defaults.timeouts,
      },
      bytesMax,
    );
  }

  get unfinished(): UnfinishedMessages {
    return this.reads.unfinished;
  }
}

/** A supervised WebSocket of a server, without a network: each call of `read` is one read of its socket. */
export class Receiving implements SocketObserver {
  readonly unfinished: UnfinishedMessages;
  readonly socket: SupervisedSocket;
  readonly messages: string[] = [];
  readonly connection = {
    receive: (payload: Uint8Array) => void this.messages.push(payload.toString()),
    heard: () => {},
  };
  readonly refusals: MessageRefusal[] = [];
  /** Codes of the faults that ws has found. */
  readonly violations: number[] = [];
  /** The close frames that the peer gets for them. */
  readonly reasons: string[] = [];
  readonly raw = new Duplex({ read: () => {}, write: (_chunk, _encoding, written) => written() });

  constructor({ reads }: Reception) {
    this.unfinished = reads.unfinished;
    // As the server of ws creates them.
    const Made = SupervisedSocket as unknown as new (...args: unknown[]) => Opening;
    const socket = new Made(null, undefined, {});
    socket.setSocket(this.raw, Buffer.alloc(0), socketOptions(reads.limits));
    this.socket = socket;
    socket.supervise(this, reads);
  }

  get receiver(): WsReceiver {
    const { _receiver: receiver } = internalsOf(this.socket);
    assert.ok(receiver);
    return receiver;
  }

  read(bytes: Uint8Array): void {
    // Each read of a socket has a buffer of its own.
    const chunk = Buffer.allocUnsafeSlow(bytes.length);
    chunk.set(bytes);
    this.receiver.write(chunk);
  }

  /** The memory that ws keeps alive: each buffer once, and 256 bytes for each piece. */
  get heldBytes(): number {
    const { _buffers, _fragments, _mask } = this.receiver;
    const pieces = [..._buffers, ..._fragments, ...(_mask === undefined ? [] : [_mask])];
    const buffers = new Set(pieces.map(({ buffer }) => buffer));
    const pinned = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
    return pinned + 256 * pieces.length;
  }

  violationFound({ code, reason }: CloseFrame): void {
    this.violations.push(code);
    this.reasons.push(reason);
  }

  messageRefused(refusal: MessageRefusal): void {
    this.refusals.push(refusal);
  }

  pongDue(): void {}
  closeReceived(): void {}
  protocolErrored(): void {}
  sendErrored(): void {}

  pingFlooded(): void {}
}

interface Opening extends SupervisedSocket {
  setSocket(socket: Duplex, head: Buffer, options: object): void;
}
