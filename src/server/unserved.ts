import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { inspect, types } from 'node:util';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import { ignoreErrors, type Passed } from './upgrade-server.ts';

/** How long an upgrade request may wait without a sign that somebody handles it, in milliseconds. */
const UNTOUCHED_MS = 2_000;
/** How long it may take altogether until the first byte of an answer, in milliseconds. */
const UNANSWERED_MS = 30_000;

/** Whether it is a promise that has not settled. Not asked with `then`, which would hide that nobody handles its rejection. */
function isPending(result: unknown): boolean {
  const options = { depth: 0, customInspect: false };
  return types.isPromise(result) && inspect(result, options).includes('<pending>');
}

/** The listeners of a socket, counted over all events. */
function listenersOf(socket: Socket): number {
  return socket.eventNames().reduce((sum, event) => sum + socket.listenerCount(event), 0);
}

/**
 * Watches an upgrade request that no supervisor serves while other listeners may handle it.
 *
 * Node.js lets go of the socket when it emits `upgrade`: a reset without an error listener ends the process, and
 * nothing ends a socket that no listener handles.
 */
export class UnservedUpgrade {
  readonly #request: IncomingMessage;
  readonly #socket: Socket;
  readonly #refuse: () => void;
  readonly #clock: Clock;
  readonly #listeners: number;
  readonly #requestKeys: number;
  readonly #writtenBytes: number;
  #results: readonly unknown[] = [];
  #mayBePending = false;

  /** @param refuse - answers and closes the socket. */
  constructor({ request, socket }: Upgrade, refuse: () => void, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#request = request;
    this.#socket = socket;
    this.#refuse = refuse;
    ignoreErrors(socket);
    this.#listeners = listenersOf(socket);
    this.#requestKeys = Reflect.ownKeys(request).length;
    this.#writtenBytes = socket.bytesWritten;
    clock.setTimer(UNTOUCHED_MS, () => this.#look());
  }

  /** Async listeners may handle the request until they settle. */
  wasPassedOn({ results, mayBePending }: Passed): void {
    this.#results = results;
    this.#mayBePending = mayBePending;
  }

  /** What was to handle the request has failed. */
  failed(): void {
    if (this.#isAnswered) this.#socket.destroy();
    else if (!this.#socket.destroyed) this.#refuse();
  }

  /** A stream that a test tool injects counts no bytes: it is never answered from here. */
  get #isAnswered(): boolean {
    const { bytesWritten, writableEnded } = this.#socket;
    return writableEnded || !(bytesWritten <= this.#writtenBytes);
  }

  /** Whether somebody reads the socket or listens to it. */
  get #isAttended(): boolean {
    return this.#socket.readableFlowing !== null || listenersOf(this.#socket) > this.#listeners;
  }

  /** Whether somebody ended it and does not read it: then nobody notices when the client leaves. */
  get #isAbandoned(): boolean {
    return this.#socket.writableFinished && this.#socket.readableFlowing === null;
  }

  /** socket.io and fastify note on the request that they handle it, before they touch the socket. */
  get #isTouched(): boolean {
    const isNoted = Reflect.ownKeys(this.#request).length > this.#requestKeys;
    const mayBePending = this.#mayBePending || this.#results.some(isPending);
    return mayBePending || this.#isAnswered || this.#isAttended || isNoted;
  }

  #look(): void {
    if (this.#socket.destroyed) return;
    if (this.#isAbandoned) this.#socket.destroy();
    else if (!this.#isTouched) this.#refuse();
    else this.#clock.setTimer(UNANSWERED_MS - UNTOUCHED_MS, () => this.#lookAgain());
  }

  /** A listener that answered and attends to the socket owns it. An answer that nobody attends to is over by now. */
  #lookAgain(): void {
    if (this.#socket.destroyed) return;
    if (!this.#isAnswered) this.#refuse();
    else if (this.#isAbandoned || !this.#isAttended) this.#socket.destroy();
  }
}
