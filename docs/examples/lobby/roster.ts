import type { SupervisorEvent } from '../../../src/index.ts';
import type { Ending, Member, Vessel } from './contract.ts';

const ENDINGS_KEPT_MAX = 40;

type Closed = Extract<SupervisorEvent<Member>, { type: 'connection.closed' }>;
type Failed = Extract<SupervisorEvent<Member>, { type: 'connection.failed' }>;

/** What is known of one connection. */
interface Entry {
  readonly member: Member;
  invalidMessages: number;
  /** As of when it was open: a connection that ends has left its topics already. */
  topics: readonly string[];
}

/**
 * Every connection from its opening to its verdict, and how the latest ones ended.
 *
 * `supervisor.connections` holds the open ones only; the others are known from the events.
 */
export class Roster {
  readonly #entries = new Map<string, Entry>();
  readonly #endings: Ending[] = [];
  #lastEnding = 0;

  get lastEnding(): number {
    return this.#lastEnding;
  }

  /** The latest endings, oldest first. */
  get endings(): readonly Ending[] {
    return this.#endings;
  }

  /** Takes note of an event. Returns the ending, when it was one. */
  note(event: SupervisorEvent<Member>): Ending | undefined {
    switch (event.type) {
      case 'connection.opened':
        this.#entries.set(event.connection.id, entryOf(event.connection));
        return undefined;
      case 'message.invalid':
        this.#countInvalid(event.connection.id);
        return undefined;
      case 'connection.closed':
        this.#entries.delete(event.connection.id);
        return this.#keep(closedEnding(event, this.#nextEnding()));
      case 'connection.failed':
        return this.#keep(failedEnding(event, this.#nextEnding()));
      default:
        return undefined;
    }
  }

  vessels(): Vessel[] {
    return Array.from(this.#entries.values(), vesselOf);
  }

  #countInvalid(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.invalidMessages += 1;
  }

  #nextEnding(): number {
    this.#lastEnding += 1;
    return this.#lastEnding;
  }

  #keep(ending: Ending): Ending {
    this.#endings.push(ending);
    if (this.#endings.length > ENDINGS_KEPT_MAX) this.#endings.shift();
    return ending;
  }
}

function entryOf(member: Member): Entry {
  return { member, invalidMessages: 0, topics: [] };
}

function vesselOf(entry: Entry): Vessel {
  const { member, invalidMessages } = entry;
  const { id, peer, address, state, openedAt, bufferedBytes, droppedMessages } = member;
  if (state === 'open') entry.topics = member.topics;
  return {
    ...{ id, ...peer, address, state, openedAt, bufferedBytes, droppedMessages, invalidMessages },
    states: [...member.states],
    topics: [...entry.topics],
  };
}

function closedEnding({ connection, verdict, at }: Closed, number: number): Ending {
  const { level, cause, code, reason, sent, origin, clean, openMs } = verdict;
  return {
    ...{ how: 'closed', number, at, level, id: connection.id, ...connection.peer },
    ...{ cause, code, reason, origin, clean, openMs, ...(sent && { sentCode: sent.code }) },
  };
}

function failedEnding({ id, failure, at }: Failed, number: number): Ending {
  const { level, cause, phase, httpStatus, address } = failure;
  return {
    ...{ how: 'failed', number, at, level, id, cause, phase, address },
    ...(httpStatus !== undefined && { httpStatus }),
  };
}
