import { filter, switchMap, take, timer } from 'rxjs';
import {
  type Ending,
  type Line,
  type LobbySupervisor,
  type RoomName,
  roomNames,
} from './contract.ts';

const LINES_KEPT_MAX = 40;
const ENDINGS_KEPT_MAX = 40;

const ASK_AGAIN_MS = 1_000;

/** The topic on which workers ask each other for what they remember. */
const TOPIC = 'history';

/**
 * The latest lines of each room and the latest endings, the same in every worker.
 *
 * A worker hears what every worker publishes. When it joins the others, it asks them for what it has missed.
 */
export class History {
  readonly #supervisor: LobbySupervisor;
  readonly #workerId: string;
  readonly #lines = new Map<RoomName, Line[]>(roomNames.map((room) => [room, []]));
  #endings: Ending[] = [];

  constructor(supervisor: LobbySupervisor, workerId: string) {
    this.#supervisor = supervisor;
    this.#workerId = workerId;
    for (const room of roomNames) this.#listenToRoom(room);
    this.#listenToEndings();
    if (supervisor.bus !== 'alone') this.#askOthers();
  }

  /** The latest lines of a room, oldest first. */
  linesOf(room: RoomName): Line[] {
    return this.#lines.get(room) ?? [];
  }

  /** The latest endings, oldest first. */
  get endings(): Ending[] {
    return this.#endings;
  }

  #listenToRoom(room: RoomName): void {
    this.#supervisor.topic(room).messages$.subscribe((message) => {
      if (message.type === 'line') this.#keepLines(room, [message.line]);
    });
  }

  #listenToEndings(): void {
    this.#supervisor.topic('monitor').messages$.subscribe((message) => {
      if (message.type === 'ended') this.#keepEndings([message.ending]);
    });
  }

  /** Asks whenever the bus comes up, because lines may have passed while it was down. A worker may not listen yet, so it asks twice. */
  #askOthers(): void {
    const { events$ } = this.#supervisor;
    const topic = this.#supervisor.topic(TOPIC);
    const from = this.#workerId;
    events$
      .pipe(
        filter(({ type }) => type === 'bus.up'),
        switchMap(() => timer(0, ASK_AGAIN_MS).pipe(take(2))),
      )
      .subscribe(() => topic.next({ type: 'history-wanted', from }));
    topic.messages$.subscribe((message) => {
      if (message.type === 'history-wanted' && message.from !== from) {
        const lines = Object.fromEntries(this.#lines) as Record<RoomName, Line[]>;
        topic.next({ type: 'history', from, lines, endings: this.#endings });
      } else if (message.type === 'history' && message.from !== from) {
        for (const room of roomNames) this.#keepLines(room, message.lines[room]);
        this.#keepEndings(message.endings);
      }
    });
  }

  #keepLines(room: RoomName, lines: readonly Line[]): void {
    this.#lines.set(room, merged([this.linesOf(room), lines], keyOfLine, LINES_KEPT_MAX));
  }

  #keepEndings(endings: readonly Ending[]): void {
    this.#endings = merged([this.#endings, endings], ({ id }) => id, ENDINGS_KEPT_MAX);
  }
}

/** Entries in the order of their time, each key once, the latest `max` of them. */
function merged<Entry extends { readonly at: number }>(
  lists: readonly (readonly Entry[])[],
  keyOf: (entry: Entry) => string,
  max: number,
): Entry[] {
  const entries = new Map(lists.flat().map((entry) => [keyOf(entry), entry]));
  return [...entries.values()].sort((one, other) => one.at - other.at).slice(-max);
}

function keyOfLine({ kind, id, at, text }: Line): string {
  return JSON.stringify([kind, id, at, text]);
}
