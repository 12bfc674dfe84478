import type { SupervisorEvent } from 'mooring';
import { auditTime, filter, interval, last, map, merge, takeUntil } from 'rxjs';
import type {
  Ending,
  LobbyConnection,
  LobbySupervisor,
  Outbound,
  WorkerIdentity,
} from './contract.ts';
import type { Guests } from './guests.ts';
import type { History } from './history.ts';
import type { Rooms } from './rooms.ts';
import { Roster } from './roster.ts';

/** Events come in bursts: at most one snapshot is published in this time. */
const SETTLE_MS = 100;
/** `bufferedBytes` changes without an event, and other workers notice by silence that this one is gone. */
const REFRESH_MS = 1_000;
/** A worker that publishes nothing for so long is gone. */
const SILENT_MS = 3_000;

type Snapshot = Extract<Outbound, { type: 'snapshot' }>;

/** The sources of a snapshot. */
export interface MonitorSources {
  readonly supervisor: LobbySupervisor;
  readonly worker: WorkerIdentity;
  readonly rooms: Rooms;
  readonly history: History;
  readonly guests: Guests;
}

/** Publishes snapshots of the connections of this process, and every ending, to the topic `monitor`. */
export class Monitor {
  readonly #sources: MonitorSources;
  readonly #roster: Roster;
  /** The latest snapshot of each other worker, by its id, and when it was heard. */
  readonly #others = new Map<string, { readonly snapshot: Snapshot; readonly heardAt: number }>();

  constructor(sources: MonitorSources) {
    this.#sources = sources;
    this.#roster = new Roster(sources.worker.name);
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
        filter(() => topic.size > 0 || sources.supervisor.bus !== 'alone'),
        map(() => this.#snapshot()),
      )
      .subscribe(topic);

    if (sources.supervisor.bus !== 'alone') this.#listenToOthers();
  }

  /** Sends the current state to a connection and subscribes it to the changes. */
  watch(connection: LobbyConnection): void {
    connection.send({ type: 'endings', endings: this.#sources.history.endings });
    for (const { snapshot, heardAt } of this.#others.values()) {
      if (performance.now() - heardAt < SILENT_MS) connection.send(snapshot);
    }
    connection.send(this.#snapshot());
    connection.join('monitor');
  }

  /** Another worker has ended. */
  gone(worker: string): void {
    this.#others.delete(worker);
    this.#sources.supervisor.topic('monitor').publish({ type: 'gone', worker }, { local: true });
  }

  #listenToOthers(): void {
    const { supervisor, worker } = this.#sources;
    supervisor.topic('monitor').messages$.subscribe((message) => {
      if (message.type !== 'snapshot' || message.worker.id === worker.id) return;
      this.#others.set(message.worker.id, { snapshot: message, heardAt: performance.now() });
    });
  }

  #snapshot(): Snapshot {
    const { supervisor, worker, rooms, guests } = this.#sources;
    return {
      type: 'snapshot',
      worker,
      bus: supervisor.bus,
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
