import { Stream } from '../core/stream.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { ClientStreams } from './client-streams.ts';
import type { ClientEvent, Ending } from './client-types.ts';
import type { PoolStatus } from './pool-types.ts';

/** Everything that a pool tells: what its members tell, and how many of them are open. */
export class PoolStreams<In> {
  readonly events: Stream<ClientEvent>;
  readonly statuses: Stream<PoolStatus>;
  readonly messages: Stream<In>;
  readonly endings: Stream<Ending>;
  readonly verdicts: Stream<CloseVerdict>;

  constructor(status: PoolStatus) {
    // Whoever throws when told that somebody threw is not told again.
    this.events = new Stream(() => {});
    this.statuses = new Stream(this.report('status$'), status);
    this.messages = new Stream(this.report('messages$'));
    this.endings = new Stream(this.report('endings$'));
    this.verdicts = new Stream(this.report('verdicts$'));
  }

  /** Tells what a member tells, for as long as it does. */
  follow(member: ClientStreams<In>): void {
    member.events.observable.subscribe((event) => this.events.next(event));
    member.messages.observable.subscribe((message) => this.messages.next(message));
    member.endings.observable.subscribe((ending) => this.endings.next(ending));
    member.verdicts.observable.subscribe((verdict) => this.verdicts.next(verdict));
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
