import type { AnyActorRef } from 'xstate';
import type { Parent } from '../connection/parent.ts';
import type { Port } from '../connection/port.ts';
import type { PortContext, PortReport } from '../connection/port-host.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { guarded, isThenable } from '../core/guard.ts';
import type { ClientStreams } from './client-streams.ts';
import type { Ending } from './client-types.ts';
import { DialedHandle, type DialedHandleHost } from './dialed-handle.ts';
import type { DialedOutbox } from './dialed-outbox.ts';
import { DialedPort, type DialedPortHost } from './dialed-port.ts';
import type { DialedWire, DialObserver, DialTarget } from './dialed-wire.ts';
import type { Platform } from './platform.ts';
import type { TargetSource } from './target.ts';

/** What a dialer tells its client. */
export interface DialerObserver {
  attemptOpened(): void;
  /** It takes messages again. */
  attemptFlows(): void;
  /** How it came to its end; `tellEnd` tells user code. */
  attemptEnded(ending: Ending, tellEnd: () => void): void;
  /** Runs what reaches user code once no transition is under way. */
  later(news: () => void): void;
}

/** What a dialer is made of. */
export interface DialerParts<In, Out> {
  /** What is known of the URL before the first attempt. */
  readonly url: string;
  readonly target: TargetSource;
  readonly parent: Parent | null;
  readonly context: PortContext;
  readonly contract: Contract<In, Out>;
  readonly platform: Platform;
  readonly streams: ClientStreams<In>;
}

/** Makes the attempts of one client, one at a time, and owns the port of the one that there is. */
export class Dialer<In, Out> implements DialedPortHost, DialedHandleHost<Out> {
  readonly context: PortContext;
  readonly contract: Contract<In, Out>;
  readonly actor: AnyActorRef;
  /** Where it dialed last. */
  url: string;

  readonly #parts: DialerParts<In, Out>;
  readonly #observer: DialerObserver;
  #port: DialedPort | null = null;
  #attempts = 0;

  constructor(parts: DialerParts<In, Out>, actor: AnyActorRef, observer: DialerObserver) {
    this.#parts = parts;
    this.#observer = observer;
    this.actor = actor;
    this.url = parts.url;
    this.context = parts.context;
    this.contract = parts.contract;
  }

  /** Attempts so far. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Where messages go right now. */
  get outbox(): DialedOutbox | null {
    return this.#port?.messages ?? null;
  }

  /** The connection that is open now. */
  get connection(): DialedHandle<In, Out> | undefined {
    return this.#port?.isOpen ? this.#handleOf(this.#port) : undefined;
  }

  dial(): void {
    this.#attempts += 1;
    const port = new DialedPort(this, this.#parts.parent?.nextId() ?? `a${this.#attempts}`);
    this.#port = port.isOver ? null : port;
  }

  probe(): void {
    this.#port?.probe();
  }

  /** Ends what is under way. Where nothing is it is closing by itself, and its end will be told. */
  end(frame: CloseFrame): void {
    if (!this.#port?.abort()) this.#port?.close('close', frame);
  }

  terminate(): void {
    this.#port?.terminate();
  }

  // What a port needs.

  target(): DialTarget | Promise<DialTarget> {
    const note = (target: DialTarget) => {
      this.url = target.url;
      return target;
    };
    const target = this.#parts.target();
    return isThenable(target) ? target.then(note) : note(target);
  }

  makeWire(observer: DialObserver): DialedWire {
    return this.#parts.platform.makeWire(observer, this.context);
  }

  portMoved(port: Port, from: ConnectionState | null, to: ConnectionState): void {
    this.#parts.parent?.portMoved(port, from, to);
  }

  portOpened(): void {}

  portQuarantined(port: Port): void {
    this.#parts.parent?.portQuarantined(port);
  }

  portReported(port: DialedPort, report: PortReport): void {
    const { parent } = this.#parts;
    if (parent !== null) {
      this.#observer.later(() => parent.portReported(port, report, this.#handleOf(port)));
    }
    if (report === 'opened') this.#observer.attemptOpened();
    else if (report === 'flowing') this.#observer.attemptFlows();
    else if (report === 'closed' || report === 'failed') this.#ended(port);
  }

  messageArrived(port: DialedPort, payload: Uint8Array, isBinary: boolean): void {
    const { streams } = this.#parts;
    const intake = guarded(
      () => this.contract.read(payload, isBinary),
      (error) => {
        streams.report('messages')(error);
        port.end('handler-error', error);
      },
    );
    if (intake === undefined) return;
    if ('message' in intake) {
      streams.messages.next(intake.message);
      this.#handleMade(port)?.deliver(intake.message);
    } else streams.events.next({ type: 'message.invalid', fault: intake.fault });
  }

  #ended(port: DialedPort): void {
    this.#port = null;
    const { verdict, failure } = port;
    const ending: Ending | undefined =
      (verdict && { outcome: 'closed', verdict }) || (failure && { outcome: 'failed', failure });
    if (ending === undefined) return;
    this.#observer.attemptEnded(ending, () => {
      this.#parts.streams.ended(ending);
      this.#handleMade(port)?.complete();
    });
  }

  // What a handle needs.

  reportThrown(error: Error): void {
    this.#parts.streams.report('messages$')(error);
  }

  #handleOf(port: DialedPort): DialedHandle<In, Out> {
    port.handle ??= new DialedHandle<In, Out>(port, this);
    return port.handle as DialedHandle<In, Out>;
  }

  #handleMade({ handle }: DialedPort): DialedHandle<In, Out> | null {
    return handle as DialedHandle<In, Out> | null;
  }
}
