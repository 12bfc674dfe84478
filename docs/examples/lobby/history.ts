import { BehaviorSubject, filter, firstValueFrom, switchMap, take, timer } from 'rxjs';
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
/** How often a worker asks the others before it concludes that there are none. */
const ASKS_MAX = 2;

/** The topic on which workers ask each other for what they remember. */
const TOPIC = 'history';

/**
 * The latest lines of each room and the latest endings, the same in every worker.
 *
 * A worker hears what every worker appends and publishes. When it joins the others, it asks them for what was before. Members of
 * a room do not need that: they get what they have missed from the bus.
 */
export class History {
  readonly #supervisor: LobbySupervisor;
  readonly #workerId: string;
  readonly #lines = new Map<RoomName, Line[]>(roomNames.map((room) => [room, []]));
  #endings: Ending[] = [];
  /** Whether nothing is missing: another worker that had everything has answered, or there is none. */
  readonly #isWhole: BehaviorSubject<boolean>;

  constructor(supervisor: LobbySupervisor, workerId: string) {
    this.#supervisor = supervisor;
    this.#workerId = workerId;
    this.#isWhole = new BehaviorSubject(supervisor.bus === 'alone');
    for (const room of roomNames) this.#listenToRoom(room);
    this.#listenToEndings();
    if (supervisor.bus !== 'alone') this.#talkToOthers();
  }

  /** The latest lines of a room, oldest first, as soon as nothing is missing: a worker may have just started. */
  async linesOf(room: RoomName): Promise<Line[]> {
    await firstValueFrom(this.#isWhole.pipe(filter(Boolean)));
    return this.#lines.get(room) ?? [];
  }

  /** The latest endings, oldest first. */
  get endings(): Ending[] {
    return this.#endings;
  }

  #listenToRoom(room: RoomName): void {
    this.#supervisor.topic(room).messages$.subscribe((message) => {
      if (message.type !== 'line') return;
      const lines = this.#lines.get(room) ?? [];
      this.#lines.set(room, withLatest(lines, message.line, LINES_KEPT_MAX));
    });
  }

  #listenToEndings(): void {
    this.#supervisor.topic('monitor').messages$.subscribe((message) => {
      if (message.type !== 'ended') return;
      this.#endings = withLatest(this.#endings, message.ending, ENDINGS_KEPT_MAX);
    });
  }

  /** Asks whenever the bus comes up, because endings may have passed while it was down. Another worker may not listen yet. */
  #talkToOthers(): void {
    const { events$ } = this.#supervisor;
    const topic = this.#supervisor.topic(TOPIC);
    const from = this.#workerId;
    events$
      .pipe(
        filter(({ type }) => type === 'bus.up'),
        switchMap(() => timer(0, ASK_AGAIN_MS).pipe(take(ASKS_MAX + 1))),
      )
      .subscribe((asked) => {
        if (asked < ASKS_MAX) topic.next({ type: 'history-wanted', from });
        else this.#isWhole.next(true);
      });
    topic.messages$.subscribe((message) => {
      if (message.type === 'history-wanted' && message.from !== from) {
        const isWhole = this.#isWhole.value;
        const lines = Object.fromEntries(this.#lines) as Record<RoomName, Line[]>;
        topic.next({ type: 'history', from, isWhole, lines, endings: this.#endings });
      } else if (message.type === 'history' && message.from !== from) {
        this.#add(message.lines, message.endings);
        if (message.isWhole) this.#isWhole.next(true);
      }
    });
  }

  /** Adds what another worker remembers. Tabs that watch already get the endings that are new. */
  #add(lines: Record<RoomName, Line[]>, endings: readonly Ending[]): void {
    for (const room of roomNames) {
      this.#lines.set(room, merged(lines[room], this.#lines.get(room) ?? [], LINES_KEPT_MAX));
    }
    const known = new Set(this.#endings.map(({ id }) => id));
    if (endings.every(({ id }) => known.has(id))) return;
    this.#endings = merged(endings, this.#endings, ENDINGS_KEPT_MAX);
    const message = { type: 'endings', endings: this.#endings } as const;
    this.#supervisor.topic('monitor').publish(message, { local: true });
  }
}

interface Entry {
  readonly id: string;
  readonly at: number;
}

/** A line is kept twice if a tab sends it again after more than two minutes. */
function withLatest<E extends Entry>(entries: E[], latest: E, max: number): E[] {
  if (entries.some(({ id }) => id === latest.id)) return entries;
  return [...entries, latest].slice(-max);
}

/** Entries in the order of their time, each once, the latest `max` of them. */
function merged<E extends Entry>(theirs: readonly E[], own: readonly E[], max: number): E[] {
  const entries = new Map([...theirs, ...own].map((entry) => [entry.id, entry]));
  return [...entries.values()].sort((one, other) => one.at - other.at).slice(-max);
}
