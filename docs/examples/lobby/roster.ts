import type { SupervisorEvent } from 'mooring';
import type { ConnectionSnapshot, Ending, LobbyConnection } from './contract.ts';

type Closed = Extract<SupervisorEvent<LobbyConnection>, { type: 'connection.closed' }>;
type Failed = Extract<SupervisorEvent<LobbyConnection>, { type: 'connection.failed' }>;

interface Entry {
  readonly connection: LobbyConnection;
  invalidMessages: number;
}

/**
 * Every connection of this process, from its opening to its verdict.
 *
 * `supervisor.connections` holds only the open ones. The events also report those that are closing.
 */
export class Roster {
  readonly #entries = new Map<string, Entry>();
  readonly #workerName: string;
  /** The id of the connection that ended last. */
  lastEnding = '';

  constructor(workerName: string) {
    this.#workerName = workerName;
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
        this.lastEnding = event.connection.id;
        return closedEnding(event, this.#workerName);
      case 'connection.failed':
        this.lastEnding = event.id;
        return failedEnding(event, this.#workerName);
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
}

function snapshotOf({ connection, invalidMessages }: Entry): ConnectionSnapshot {
  const { id, peer, address, state, openedAt, bufferedBytes, droppedMessages } = connection;
  return {
    ...{ id, ...peer, address, state, openedAt, bufferedBytes, droppedMessages, invalidMessages },
    states: [...connection.states],
    topics: [...connection.topics],
  };
}

function closedEnding({ connection, verdict, at }: Closed, worker: string): Ending {
  const { level, cause, code, reason, sent, origin, clean, openMs } = verdict;
  return {
    ...{ outcome: 'closed', worker, at, level, id: connection.id, ...connection.peer },
    ...{ cause, code, reason, origin, clean, openMs, ...(sent && { sentCode: sent.code }) },
  };
}

function failedEnding({ id, failure, at }: Failed, worker: string): Ending {
  const { level, cause, phase, httpStatus, address } = failure;
  return {
    ...{ outcome: 'failed', worker, at, level, id, cause, phase, address },
    ...(httpStatus !== undefined && { httpStatus }),
  };
}
