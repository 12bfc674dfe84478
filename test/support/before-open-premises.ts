import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import {
  type AttachOptions,
  type Clock,
  type SupervisorOptions,
  systemClock,
  type TimerHandle,
} from '../../src/index.ts';
import { answerOf, type HttpAnswer } from './before-open-answer.ts';
import { type HandshakeSpec, RawPeer } from './raw-peer.ts';
import { Service } from './service.ts';
import { until } from './until.ts';

/** The system's clock with a count of its pending callbacks. The test can stop its time and advance it. */
export class CountingClock implements Clock {
  readonly #pending = new Set<TimerHandle>();
  #stoppedAtMs: number | null = null;

  /** Callbacks that have neither run nor been cancelled. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Stops time. Timers still fire. */
  stop(): void {
    this.#stoppedAtMs = this.now();
  }

  /** Advances stopped time. */
  advance(byMs: number): void {
    this.#stoppedAtMs = this.now() + byMs;
  }

  now(): number {
    return this.#stoppedAtMs ?? systemClock.now();
  }

  wallNow(): number {
    return systemClock.wallNow();
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = systemClock.setTimer(delayMs, () => {
      this.#pending.delete(timer);
      callback();
    });
    this.#pending.add(timer);
    return timer;
  }

  clearTimer(handle: TimerHandle): void {
    this.#pending.delete(handle);
    systemClock.clearTimer(handle);
  }

  afterPoll(callback: () => void): void {
    const turn = {};
    this.#pending.add(turn);
    systemClock.afterPoll(() => {
      this.#pending.delete(turn);
      callback();
    });
  }
}

/** The TCP connections that a server holds, including upgraded ones. */
export function socketsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  return sockets;
}

type UnknownOptions = SupervisorOptions<unknown, unknown, unknown>;

/** A service with the clock, the sockets and the visitors of one test. */
export class Premises {
  readonly service: Service;
  readonly clock: CountingClock;
  /** The sockets on the service's own side. */
  readonly sockets: ReadonlySet<Socket>;
  readonly #visitors: RawPeer[] = [];
  readonly #warnings: Error[] = [];
  /** Warnings of Mooring appear once in a process, whatever the test. Tests of warnings listen themselves. */
  readonly #onWarning = (warning: Error) => {
    if (warning.name !== 'MooringWarning') this.#warnings.push(warning);
  };

  private constructor(service: Service, clock: CountingClock) {
    this.service = service;
    this.clock = clock;
    this.sockets = socketsOf(service.server);
    process.on('warning', this.#onWarning);
  }

  static async start(
    options: UnknownOptions = {},
    attachOptions: AttachOptions = { path: '/ws' },
  ): Promise<Premises> {
    const clock = new CountingClock();
    const service = await Service.start({ clock, ...options }, attachOptions);
    return new Premises(service, clock);
  }

  /** A client that connects and sends nothing. */
  async connect(options: { allowHalfOpen?: boolean; port?: number } = {}): Promise<RawPeer> {
    const { port = this.service.port, ...rest } = options;
    const peer = await RawPeer.connect(port, rest);
    this.#visitors.push(peer);
    return peer;
  }

  /** A client that requests an upgrade and waits for nothing. */
  async ask(spec: HandshakeSpec = {}): Promise<RawPeer> {
    const peer = await this.connect();
    peer.request(spec);
    return peer;
  }

  /** A client that requests an upgrade and is refused. */
  async refused(spec: HandshakeSpec = {}): Promise<HttpAnswer> {
    return answerOf(await this.ask(spec));
  }

  /** A client that requests an upgrade and is admitted. */
  async open(spec: HandshakeSpec & { allowHalfOpen?: boolean } = {}): Promise<RawPeer> {
    const peer = await RawPeer.open(this.service.port, spec);
    this.#visitors.push(peer);
    return peer;
  }

  /** Waits until the service has released every socket and timer, whatever the visitors do. */
  async vacant(): Promise<void> {
    await until(() => this.sockets.size === 0, 'the service holds no socket');
    await until(() => this.clock.pending === 0, 'the service holds no timer');
    assert.equal(this.service.inFlight, 0);
  }

  /** Disconnects the visitors and asserts that nothing is left of them, and that Node.js warned of nothing. */
  async close(): Promise<void> {
    for (const visitor of this.#visitors) visitor.destroy();
    await this.service.stop();
    await this.vacant();
    process.off('warning', this.#onWarning);
    assert.deepEqual(this.#warnings, []);
  }
}
