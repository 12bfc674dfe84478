import type { SupervisorEvent } from 'mooring';
import type { ConnectionSnapshot, Ending, LobbyConnection } from './contract.ts';

const ENDINGS_KEPT_MAX = 40;

type Closed = Extract<SupervisorEvent<LobbyConnection>, { type: 'connection.closed' }>;
type Failed = Extract<SupervisorEvent<LobbyConnection>, { type: 'connection.failed' }>;

interface Entry {
  readonly connection: LobbyConnection;
  invalidMessages: number;
}

/**
 * Every connection from its opening to its verdict, and the latest endings.
 *
 * `supervisor.connections` holds only the open ones. The events also report those that are closing.
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

  /** Records an event. Returns the ending if the event reports one. */
  record(event: SupervisorEvent<LobbyConnection>): Ending | undefined {
    switch (event.type) {
      case 'connection.opened': {
        const { connection } = event;
        this.#entries.set(connection.id, { connection, invalidMessages: 0 });
        return undefined;
      }
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

  connections(): ConnectionSnapshot[] {
    return Array.from(this.#entries.values(), snapshotOf);
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

function snapshotOf({ connection, invalidMessages }: Entry): ConnectionSnapshot {
  const { id, peer, address, state, openedAt, bufferedBytes, droppedMessages } = connection;
  return {
    ...{ id, ...peer, address, state, openedAt, bufferedBytes, droppedMessages, invalidMessages },
    states: [...connection.states],
    topics: [...connection.topics],
  };
}

function closedEnding({ connection, verdict, at }: Closed, number: number): Ending {
  const { level, cause, code, reason, sent, origin, clean, openMs } = verdict;
  return {
    ...{ outcome: 'closed', number, at, level, id: connection.id, ...connection.peer },
    ...{ cause, code, reason, origin, clean, openMs, ...(sent && { sentCode: sent.code }) },
  };
}

function failedEnding({ id, failure, at }: Failed, number: number): Ending {
  const { level, cause, phase, httpStatus, address } = failure;
  return {
    ...{ outcome: 'failed', number, at, level, id, cause, phase, address },
    ...(httpStatus !== undefined && { httpStatus }),
  };
}
