import type { SupervisorEvent } from 'mooring';
import { auditTime, filter, interval, last, map, merge, takeUntil } from 'rxjs';
import type { Ending, LobbyConnection, LobbySupervisor, Outbound } from './contract.ts';
import type { Guests } from './guests.ts';
import type { Rooms } from './rooms.ts';
import { Roster } from './roster.ts';

/** Events come in bursts: at most one snapshot is published in this time. */
const SETTLE_MS = 100;
/** `bufferedBytes` changes without an event. */
const REFRESH_MS = 1_000;

/** The sources of a snapshot. */
export interface MonitorSources {
  readonly supervisor: LobbySupervisor;
  readonly rooms: Rooms;
  readonly guests: Guests;
}

/** Publishes snapshots of all connections, and every ending, to the topic `monitor`. */
export class Monitor {
  readonly #sources: MonitorSources;
  readonly #roster = new Roster();

  constructor(sources: MonitorSources) {
    this.#sources = sources;
    const { events$ } = sources.supervisor;
    const topic = sources.supervisor.topic('monitor');

    events$
      .pipe(
        // The lobby dials no connection, so every event is about an accepted one.
        map((event) => this.#roster.record(event as SupervisorEvent<LobbyConnection>)),
        filter((ending) => ending !== undefined),
        map(endedMessage),
      )
      .subscribe(topic);

    merge(events$, interval(REFRESH_MS))
      .pipe(
        takeUntil(events$.pipe(last(null, null))),
        auditTime(SETTLE_MS),
        filter(() => topic.size > 0),
        map(() => this.#snapshot()),
      )
      .subscribe(topic);
  }

  /** Sends the current state to a connection and subscribes it to the changes. */
  watch(connection: LobbyConnection): void {
    connection.send({ type: 'endings', endings: [...this.#roster.endings] });
    connection.send(this.#snapshot());
    connection.join('monitor');
  }

  #snapshot(): Outbound {
    const { supervisor, rooms, guests } = this.#sources;
    return {
      type: 'snapshot',
      at: Date.now(),
      counts: supervisor.counts,
      members: rooms.memberCounts(),
      guests: { count: guests.count, max: guests.max },
      connections: this.#roster.connections(),
      lastEnding: this.#roster.lastEnding,
    };
  }
}

function endedMessage(ending: Ending): Outbound {
  return { type: 'ended', ending };
}
