import type { ConnectionHandle } from '../connection/connection-handle.ts';
import type { ConnectionReport } from '../connection/connection-host.ts';
import { closingOf } from '../connection/ending-record.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { Connection, ConnectionIdentity, DialedConnection } from '../core/connection.ts';
import type { SupervisorEvent, UntimedEvent } from '../core/events.ts';
import type { Failure } from '../core/failure.ts';
import { guarded, type HandlerName } from '../core/guard.ts';
import { Stream } from '../core/stream.ts';
import { classifyClose } from '../core/verdict.ts';
import { Unheard, type WaysToHear } from '../core/warnings.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { ResolvedOptions } from './options.ts';

/** The public handle of a connection that is or was open. */
export function handleOf<Peer, In, Out>(
  connection: InboundConnection,
): ConnectionHandle<In, Out> & Connection<Peer, In, Out> {
  return connection.handle as ConnectionHandle<In, Out> & Connection<Peer, In, Out>;
}

/** Emits the events of one supervisor and reports errors of application code. Without a listener, it warns instead. */
export class Reporter<Peer, In, Out> {
  readonly events: Stream<SupervisorEvent<Connection<Peer, In, Out> | DialedConnection>>;
  readonly #options: Pick<ResolvedOptions<Peer, In, Out>, 'clock' | 'onHandlerError'>;
  readonly #unheard = new Unheard(waysToHear);

  constructor(options: Pick<ResolvedOptions<Peer, In, Out>, 'clock' | 'onHandlerError'>) {
    this.#options = options;
    this.events = new Stream((error) => this.errored('events$', error));
  }

  get isHeard(): boolean {
    return this.events.observed;
  }

  /** Completes the stream, when the supervisor has stopped. */
  complete(): void {
    this.events.complete();
  }

  /** Emits an event, if there are subscribers. */
  emit(event: UntimedEvent<Connection<Peer, In, Out> | DialedConnection>): void {
    if (this.isHeard) this.events.next({ ...event, at: this.#options.clock.wallNow() });
  }

  /** Emits what a connection reports. @param handle - of a connection that is or was open. */
  reported(
    report: ConnectionReport,
    connection: ManagedConnection,
    handle: Connection<Peer, In, Out> | DialedConnection,
  ): void {
    if (!this.isHeard) return;
    const event = describeReport(report, connection, handle);
    if (event !== undefined) this.emit(event);
  }

  /** Reports that code of the application threw. The connection that it ran for ends, unless `onHandlerError` keeps it. */
  errored(handler: HandlerName, error: Error, connection?: InboundConnection): void {
    const handle = connection && handleOf<Peer, In, Out>(connection);
    let choice: unknown;
    try {
      this.#emitErrored(handler, error, handle);
      choice = guarded(
        () => this.#options.onHandlerError?.(error, handler, handle),
        (thrown) => this.#emitErrored('onHandlerError', thrown, handle),
      );
    } finally {
      // A request has been refused already, and the others of the connection go on.
      if (choice !== 'keep' && handler !== 'onRequest') connection?.end('handler-error', error);
    }
  }

  #emitErrored(
    handler: HandlerName,
    error: Error,
    connection: Connection<Peer, In, Out> | undefined,
  ): void {
    // A subscriber of the events that throws must not receive its own error, because it would throw again.
    const isEmitted = handler !== 'events$' && this.isHeard;
    if (isEmitted) {
      this.emit({ type: 'handler.errored', handler, error, ...(connection && { connection }) });
    }
    const isHandled = handler !== 'onHandlerError' && this.#options.onHandlerError !== undefined;
    if (!isEmitted && !isHandled) this.#unheard.handler(handler, error);
  }

  /** The bus is down. */
  busDown(error: Error | undefined): void {
    this.emit({ type: 'bus.down', ...(error && { error }) });
    if (!this.isHeard) this.#unheard.bus(error);
  }

  /** Reports that the chart of a connection or of the supervisor threw. */
  crashed(error: Error): void {
    this.emit({ type: 'connection.crashed', error });
    if (!this.isHeard) this.#unheard.crash(error);
  }

  /** Warns of a failure for which there is no `onFailed`. */
  failureUnhandled(failure: Failure): void {
    if (!this.isHeard) this.#unheard.failure(failure);
  }
}

/** A reporter for callers that do not know the types of the connections. */
export type AnyReporter = Pick<
  Reporter<unknown, unknown, never>,
  'emit' | 'errored' | 'reported' | 'isHeard' | 'complete' | 'busDown'
>;

const waysToHear: WaysToHear = {
  events: 'call logEvents(supervisor.events$, logger)',
  onHandlerError: 'pass onHandlerError',
  onFailed: 'pass onFailed',
};

/** Makes the event of a connection's report. */
function describeReport<C extends ConnectionIdentity>(
  report: ConnectionReport,
  connection: ManagedConnection,
  handle: C,
): UntimedEvent<C> | undefined {
  switch (report) {
    case 'closing':
      return { type: 'connection.closing', connection: handle, ...closingOf(connection.record) };
    case 'errored': {
      const { cause, error } = classifyClose(connection.record.evidence);
      return { type: 'connection.errored', connection: handle, cause, ...(error && { error }) };
    }
    case 'closed':
      return (
        connection.verdict && {
          type: 'connection.closed',
          connection: handle,
          verdict: connection.verdict,
        }
      );
    case 'failed':
      return (
        connection.failure && {
          type: 'connection.failed',
          id: connection.id,
          failure: connection.failure,
        }
      );
    default:
      return { type: `connection.${report}`, connection: handle };
  }
}
