import { auditTime, filter, interval, last, map, merge, takeUntil } from 'rxjs';
import type { SupervisorEvent } from '../../../src/index.ts';
import type { Ending, LobbySupervisor, Member, Outbound } from './contract.ts';
import type { GuestHouse } from './guest-house.ts';
import type { Rooms } from './rooms.ts';
import { Roster } from './roster.ts';

/** Events come in bursts; this is how long one picture of the fleet may be out of date. */
const SETTLE_MS = 100;
/** Buffered bytes change without any event. */
const REFRESH_MS = 1_000;

/** What a picture of the fleet is made of. */
export interface FleetSources {
  readonly supervisor: LobbySupervisor;
  readonly rooms: Rooms;
  readonly guests: GuestHouse;
}

/** The live table: pictures of the fleet, and every ending, published to the topic `fleet`. */
export class FleetFeed {
  readonly #sources: FleetSources;
  readonly #roster = new Roster();

  constructor(sources: FleetSources) {
    this.#sources = sources;
    const { events$ } = sources.supervisor;
    const fleet = sources.supervisor.topic('fleet');

    events$
      .pipe(
        // The lobby dials nobody: whatever is told is of members.
        map((event) => this.#roster.note(event as SupervisorEvent<Member>)),
        filter((ending) => ending !== undefined),
        map(endedMessage),
      )
      .subscribe(fleet);

    merge(events$, interval(REFRESH_MS))
      .pipe(
        takeUntil(events$.pipe(last(null, null))),
        auditTime(SETTLE_MS),
        filter(() => fleet.size > 0),
        map(() => this.#picture()),
      )
      .subscribe(fleet);
  }

  /** Lets a member watch: what it missed at once, everything else as it happens. */
  show(member: Member): void {
    member.send({ type: 'endings', endings: [...this.#roster.endings] });
    member.send(this.#picture());
    member.join('fleet');
  }

  #picture(): Outbound {
    const { supervisor, rooms, guests } = this.#sources;
    return {
      type: 'fleet',
      at: Date.now(),
      counts: supervisor.counts,
      members: rooms.members(),
      guests: { aboard: guests.aboard, max: guests.aboardMax },
      vessels: this.#roster.vessels(),
      lastEnding: this.#roster.lastEnding,
    };
  }
}

function endedMessage(ending: Ending): Outbound {
  return { type: 'ended', ending };
}
