import { Stream } from '../core/stream.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { ClientEvent, ClientStatus, Ending } from './client-types.ts';
import type { ClientWarnings } from './client-warnings.ts';

/** Everything that a client, or a pool, tells, in streams that are made when they are needed: most need one or two. */
export class ClientStreams<In, Status = ClientStatus> {
  readonly #warnings: ClientWarnings | null;
  #status: Status;
  #events: Stream<ClientEvent> | null = null;
  #statuses: Stream<Status> | null = null;
  #messages: Stream<In> | null = null;
  #endings: Stream<Ending> | null = null;
  #verdicts: Stream<CloseVerdict> | null = null;

  constructor(status: Status, warnings: ClientWarnings | null) {
    this.#warnings = warnings;
    this.#status = status;
  }

  get events(): Stream<ClientEvent> {
    // Whoever throws when told that somebody threw is not told again.
    this.#events ??= new Stream((error) => this.#warnings?.handlerErrored('events$', error));
    return this.#events;
  }

  get statuses(): Stream<Status> {
    this.#statuses ??= new Stream(this.report('status$'), this.#status);
    return this.#statuses;
  }

  get messages(): Stream<In> {
    this.#messages ??= new Stream(this.report('messages$'));
    return this.#messages;
  }

  get endings(): Stream<Ending> {
    this.#endings ??= new Stream(this.report('endings$'));
    return this.#endings;
  }

  get verdicts(): Stream<CloseVerdict> {
    this.#verdicts ??= new Stream(this.report('verdicts$'));
    return this.#verdicts;
  }

  moved(status: Status): void {
    this.#status = status;
    this.#statuses?.next(status);
  }

  ended(ending: Ending): void {
    this.endings.next(ending);
    if (ending.outcome === 'closed') this.verdicts.next(ending.verdict);
  }

  /** Tells what another tells as well, but for its status, for as long as it does. */
  follow(other: ClientStreams<In>): void {
    other.events.observable.subscribe((event) => this.#emit(event));
    other.messages.observable.subscribe((message) => this.messages.next(message));
    other.endings.observable.subscribe((ending) => this.ended(ending));
  }

  /** Whether anybody looks at the status or the endings. */
  get isHeard(): boolean {
    const streams = [this.#statuses, this.#endings, this.#verdicts];
    return streams.some((stream) => stream?.observed);
  }

  complete(): void {
    const { messages, endings, verdicts, statuses, events } = this;
    for (const stream of [messages, endings, verdicts, statuses, events]) stream.complete();
  }

  /** Tells what code of the user threw. */
  report(handler: string): (error: Error) => void {
    return (error) => this.#emit({ type: 'handler.errored', handler, error });
  }

  #emit(event: ClientEvent): void {
    if (event.type === 'handler.errored' && this.#events?.observed !== true) {
      this.#warnings?.handlerErrored(event.handler, event.error);
    }
    this.events.next(event);
  }
}
