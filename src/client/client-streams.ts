import type { ClientEvent, ClientHandlerName } from '../core/events.ts';
import type { Recovery } from '../core/recovery.ts';
import { Stream } from '../core/stream.ts';
import type { ClientStatus, Ending } from './client-types.ts';
import type { ClientWarnings } from './client-warnings.ts';

/** The public streams of a client or a pool. Each is made when it is first used: most clients use one or two. */
export class ClientStreams<In, Status = ClientStatus> {
  readonly #warnings: ClientWarnings | null;
  #status: Status;
  #events: Stream<ClientEvent> | null = null;
  #statuses: Stream<Status> | null = null;
  #messages: Stream<In> | null = null;
  #endings: Stream<Ending> | null = null;
  #recoveries: Stream<Recovery> | null = null;
  /** Called when the messages have gained or lost a subscriber. */
  whenListenersChange: (() => void) | null = null;

  constructor(status: Status, warnings: ClientWarnings | null) {
    this.#warnings = warnings;
    this.#status = status;
  }

  get events(): Stream<ClientEvent> {
    // Not emitted: a subscriber of `events$` that throws would get its own error.
    this.#events ??= new Stream((error) => this.#warnings?.handlerErrored('events$', error));
    return this.#events;
  }

  get statuses(): Stream<Status> {
    this.#statuses ??= new Stream(this.report('status$'), this.#status);
    return this.#statuses;
  }

  get messages(): Stream<In> {
    const changed = () => this.whenListenersChange?.();
    this.#messages ??= new Stream<In>(this.report('messages$'), undefined, changed);
    return this.#messages;
  }

  get endings(): Stream<Ending> {
    this.#endings ??= new Stream(this.report('endings$'));
    return this.#endings;
  }

  get recoveries(): Stream<Recovery> {
    this.#recoveries ??= new Stream(this.report('recoveries$'));
    return this.#recoveries;
  }

  moved(status: Status): void {
    this.#status = status;
    this.#statuses?.next(status);
  }

  /** Whether the status or the endings have subscribers. */
  get isHeard(): boolean {
    return this.#statuses?.observed === true || this.#endings?.observed === true;
  }

  complete(): void {
    const { messages, endings, recoveries, statuses, events } = this;
    for (const stream of [messages, endings, recoveries, statuses, events]) stream.complete();
  }

  /** Returns a function that reports what a handler threw. */
  report(handler: ClientHandlerName): (error: Error) => void {
    return (error) => this.emit({ type: 'handler.errored', handler, error });
  }

  /** Emits an event. If nothing listens, an error, or a dropped or invalid message, becomes a warning. */
  emit(event: ClientEvent): void {
    if (this.#warnings !== null && this.#events?.observed !== true) this.#warnings.unheard(event);
    this.events.next(event);
  }
}
