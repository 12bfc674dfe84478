import assert from 'node:assert/strict';
import type { BusLog, Entry, Place, Stored } from '../../src/core/bus-log.ts';
import { type Bus, type BusLink, systemClock } from '../../src/index.ts';
import { until } from './until.ts';

/** The link of one process, its log, and what both have told. */
export interface LogMember {
  readonly link: BusLink;
  readonly log: BusLog;
  readonly moves: string[];
  readonly errors: Error[];
  rewrites: number;
}

/** Opens a link with a log and waits until it is up. */
export async function logMemberOf(bus: Bus): Promise<LogMember> {
  const moves: string[] = [];
  const errors: Error[] = [];
  const errored = (error: Error) => errors.push(error);
  const moved = (state: string) => moves.push(state);
  const link = bus.open({ clock: systemClock, moved, rejoined: () => {}, errored });
  const rewritten = () => {
    member.rewrites += 1;
  };
  const log = link.openLog?.({ rewritten, errored });
  assert.ok(log, 'the bus has a log');
  const member: LogMember = { link, log, moves, errors, rewrites: 0 };
  await until(() => moves.length > 0, 'the link has moved');
  assert.deepEqual(moves, ['up']);
  return member;
}

/** A signal that aborts only if the test hangs. */
export function patient(): AbortSignal {
  return AbortSignal.timeout(20_000);
}

/** Appends text, by default its id. */
export function append(
  { log }: LogMember,
  topic: string,
  id: string,
  text: string = id,
): Promise<Stored> {
  return log.append(topic, { id, payload: Buffer.from(text), isBinary: false }, patient());
}

/** Collects the entries that a link hears, from now on. */
export async function following({ log }: LogMember, topic: string) {
  const entries: Entry[] = [];
  const interest = log.follow(topic, (entry) => entries.push(entry));
  await interest.ready;
  return Object.assign(entries, { end: () => interest.end() });
}

/** The end of a topic: where a reader begins that wants what follows. */
export async function startOf({ log }: LogMember, topic: string): Promise<Place> {
  return (await log.tail(topic)).upTo;
}

/** Reads all texts after a place. */
export async function readTexts(member: LogMember, topic: string, after: Place, limit = 100) {
  return textsOf(await readAll(member, topic, after, limit));
}

/** Reads page after page. Fails if one is not whole, or too long. */
export async function readAll({ log }: LogMember, topic: string, after: Place, limit = 100) {
  const entries: Entry[] = [];
  let place = after;
  for (;;) {
    const page = await log.read(topic, place, limit);
    assert.ok(page.isWhole, 'the page is whole');
    assert.ok(page.entries.length <= limit);
    entries.push(...page.entries);
    const last = page.entries.at(-1);
    if (last === undefined || !page.hasMore) return entries;
    place = placeOf(last);
  }
}

/** The place of an entry, without the rest. */
export function placeOf({ log, offset, tag }: Place): Place {
  return { log, offset, tag };
}

/** An entry, whatever kind of bytes its payload is. */
export function copyOf(entry: Entry): Entry {
  return { ...placeOf(entry), ...contentOf(entry), prev: entry.prev };
}

/** What was appended. */
export function contentOf({ payload, isBinary }: Entry) {
  return { payload: Buffer.from(payload), isBinary };
}

/** The payloads as text. */
export function textsOf(entries: readonly Entry[]): string[] {
  return entries.map(({ payload }) => Buffer.from(payload).toString());
}

/** Each entry names the one before it. */
export function assertChained(entries: readonly Entry[], first: number): void {
  let prev = first;
  for (const entry of entries) {
    assert.equal(entry.prev, prev);
    assert.ok(entry.offset > prev);
    prev = entry.offset;
  }
}

/** Whatever a follower has missed before the newest that it has heard is visible in `prev`. */
export function assertShown(heard: readonly Entry[], kept: readonly Entry[]): void {
  const offsets = new Set(heard.map(({ offset }) => offset));
  const prevs = new Set(heard.map(({ prev }) => prev));
  const newest = Math.max(...offsets);
  for (const [index, { offset }] of kept.entries()) {
    if (offset >= newest) return;
    const next = kept[index + 1];
    const isShown = prevs.has(offset) || (next !== undefined && !offsets.has(next.offset));
    assert.ok(offsets.has(offset) || isShown, `nothing shows that ${offset} is missing`);
  }
}
