import { parsePlace } from '../../src/bus/place.ts';
import type { Recovery } from '../../src/client/index.ts';
import type { Place } from '../../src/core/bus-log.ts';

/** A message at the place where it is kept. Many clients get the same one, so in long runs it must be one object. */
interface Kept {
  readonly id: string;
  readonly place: Place;
}

/** What a client got from where it was told that it is, until it was told otherwise. */
interface Run {
  readonly start: Place;
  readonly got: Kept[];
}

/** The account of a whole run of chaos. */
export interface Verdict {
  /** How many times a kept message had to arrive at a client. */
  readonly checked: number;
  readonly missing: number;
  readonly doubled: number;
  readonly disordered: number;
  /** How often a client was told that it misses messages. */
  readonly told: number;
  /** The first messages that are missing, in words. */
  readonly findings: readonly string[];
}

const FINDINGS_MAX = 20;

/** All messages of one topic, by id and position. */
class Messages {
  readonly #known = new Map<string, Kept>();

  at(id: string, position: string | undefined): Kept {
    const key = `${id} ${position}`;
    const known = this.#known.get(key) ?? { id, place: placeOf(position) };
    this.#known.set(key, known);
    return known;
  }
}

/** What one client got of one topic. */
export class Account {
  readonly runs: Run[] = [];
  told = 0;
  readonly #messages: Messages;

  constructor(messages: Messages) {
    this.#messages = messages;
  }

  recovered({ recovered, cause }: Recovery, position: string | undefined): void {
    if (recovered) return;
    if (cause !== 'first') this.told += 1;
    this.runs.push({ start: placeOf(position), got: [] });
  }

  got(id: string, position: string | undefined): void {
    this.runs.at(-1)?.got.push(this.#messages.at(id, position));
  }

  /** Whether it has got everything up to a message. */
  hasReached({ log, offset }: Place): boolean {
    const run = this.runs.at(-1);
    return run !== undefined && run.start.log === log && endOf(run) >= offset;
  }
}

/** All messages that were kept, and what clients got of them. */
export class Ledger {
  /** By topic and id. The first report of an id counts: later ones are duplicates. */
  readonly #kept = new Map<string, Map<string, Kept>>();
  readonly #accounts = new Map<string, Account[]>();
  readonly #messages = new Map<string, Messages>();
  /** The newest message of each topic. */
  readonly #last = new Map<string, Place>();

  kept(topic: string, id: string, position: string): void {
    const ofTopic = this.#kept.get(topic) ?? new Map<string, Kept>();
    this.#kept.set(topic, ofTopic);
    if (ofTopic.has(id)) return;
    const message = this.#messagesOf(topic).at(id, position);
    ofTopic.set(id, message);
    const { place } = message;
    const last = this.#last.get(topic);
    if (last?.log !== place.log || last.offset < place.offset) this.#last.set(topic, place);
  }

  open(topic: string): Account {
    const account = new Account(this.#messagesOf(topic));
    const ofTopic = this.#accounts.get(topic) ?? [];
    this.#accounts.set(topic, ofTopic);
    ofTopic.push(account);
    return account;
  }

  #messagesOf(topic: string): Messages {
    const messages = this.#messages.get(topic) ?? new Messages();
    this.#messages.set(topic, messages);
    return messages;
  }

  get size(): number {
    return [...this.#kept.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Whether every client has got the last message of its topics. */
  get isComplete(): boolean {
    return [...this.#accounts].every(([topic, accounts]) => {
      const last = this.#last.get(topic);
      return accounts.every((account) => last === undefined || account.hasReached(last));
    });
  }

  get verdict(): Verdict {
    const findings: string[] = [];
    const sum = { checked: 0, missing: 0, doubled: 0, disordered: 0, told: 0, findings };
    for (const [topic, accounts] of this.#accounts) {
      const kept = [...(this.#kept.get(topic)?.values() ?? [])];
      for (const account of accounts) {
        sum.told += account.told;
        for (const [at, run] of account.runs.entries()) {
          const isLast = at === account.runs.length - 1;
          count(sum, run, expectedIn(run, kept, isLast));
        }
      }
    }
    return sum;
  }
}

/** What a run must have: everything after its start, up to the last that it has, or up to the end of its log. */
function expectedIn(run: Run, kept: readonly Kept[], isLast: boolean): readonly Kept[] {
  const end = isLast ? Number.POSITIVE_INFINITY : endOf(run);
  return kept.filter(
    ({ place: { log, offset } }) =>
      log === run.start.log && offset > run.start.offset && offset <= end,
  );
}

/** A verdict that is being made. */
type Counts = { -readonly [Name in keyof Omit<Verdict, 'findings'>]: number } & {
  readonly findings: string[];
};

function count(sum: Counts, { start, got }: Run, expected: readonly Kept[]): void {
  const ids = new Set<string>();
  let before = start.offset;
  for (const { id, place } of got) {
    if (ids.has(id)) sum.doubled += 1;
    else if (place.offset <= before) sum.disordered += 1;
    ids.add(id);
    before = Math.max(before, place.offset);
  }
  sum.checked += expected.length;
  for (const { id, place } of expected) {
    if (ids.has(id)) continue;
    sum.missing += 1;
    if (sum.findings.length < FINDINGS_MAX) sum.findings.push(findingOf(id, place, start, got));
  }
}

function findingOf(id: string, place: Place, start: Place, got: readonly Kept[]): string {
  const end = got.at(-1)?.place ?? start;
  const [from, missing, to] = [start, place, end].map((each) => `${each.log}.${each.offset}`);
  return `missing: ${id} at ${missing}, by a client that was told ${from} and has got up to ${to}`;
}

function endOf({ start, got }: Run): number {
  return Math.max(start.offset, ...got.slice(-1).map(({ place }) => place.offset));
}

function placeOf(position: string | undefined): Place {
  const place = parsePlace(position ?? '');
  if (place === null) throw new Error(`${position} is no position`);
  return place;
}
