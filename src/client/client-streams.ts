import { Stream } from '../core/stream.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { ClientEvent, ClientStatus, Ending } from './client-types.ts';

/** Everything that a client tells. What a subscriber throws is told as well, and goes no further. */
export class ClientStreams<In> {
  readonly events: Stream<ClientEvent>;
  readonly statuses: Stream<ClientStatus>;
  readonly messages: Stream<In>;
  readonly endings: Stream<Ending>;
  readonly verdicts: Stream<CloseVerdict>;

  constructor(status: ClientStatus) {
    // Whoever throws when told that somebody threw is not told again.
    this.events = new Stream(() => {});
    this.statuses = new Stream(this.report('status$'), status);
    this.messages = new Stream(this.report('messages$'));
    this.endings = new Stream(this.report('endings$'));
    this.verdicts = new Stream(this.report('verdicts$'));
  }

  ended(ending: Ending): void {
    this.endings.next(ending);
    if (ending.outcome === 'closed') this.verdicts.next(ending.verdict);
  }

  complete(): void {
    const { messages, endings, verdicts, statuses, events } = this;
    for (const stream of [messages, endings, verdicts, statuses, events]) stream.complete();
  }

  /** Tells what code of the user threw. */
  report(handler: string): (error: Error) => void {
    return (error) => this.events.next({ type: 'handler.errored', handler, error });
  }
}
