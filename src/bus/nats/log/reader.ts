import type { Page, Place, Tail } from '../../../core/bus-log.ts';
import { type Clock, wallTimeOf } from '../../../core/clock.ts';
import type { Batch, JetStream, StreamInfo } from './jet-stream.ts';
import { entryOf, type KeptMessage, tagIn } from './kept-message.ts';
import { pause } from './pause.ts';

/** How long the leader of a stream with replicas may know less than a reader. A new one may be behind for a moment. */
const PATIENCE_MS = 5_000;
const ASK_AGAIN_MS = 500;

/** How much sooner than the leader a replica may drop a message because of its age. Their clocks differ, too. */
const EDGE_MS = 5_000;

/** Where a reader reads: one topic, over one connection. */
export interface Source {
  readonly stream: JetStream;
  readonly clock: Clock;
  /** The subject of the topic. */
  readonly subject: string;
  /** The name of the log. */
  readonly log: string;
  /** What was known of the stream when the connection began. */
  readonly info: StreamInfo;
  /** Takes note of a message that was read. */
  saw(message: KeptMessage): void;
  /** Asks for the stream anew. @throws Error if it is not the one that it was */
  ask(subject?: string): Promise<StreamInfo>;
}

/** Which messages the place of a reader stands for. */
type Standing = 'whole' | 'expired' | 'reset';

/**
 * The end of a topic.
 *
 * The number comes first: messages that the stream has got before it answers are also known to the second answer. So there is
 * no other message of the topic up to this number, or up to the newest if that is later.
 */
export async function readTail({ stream, subject, log, saw, ask }: Source): Promise<Tail> {
  const { state } = await ask();
  const newest = await stream.message({ last_by_subj: subject });
  if (newest !== null) saw(newest);
  return {
    newest: newest && { log, offset: newest.seq, tag: tagIn(newest) },
    upTo: { log, offset: Math.max(state.last_seq, newest?.seq ?? 0), tag: '' },
  };
}

/**
 * What a topic has after a place.
 *
 * The messages come from any replica, unless they are about to be dropped. Then the leader is asked whether the place was good.
 * In this order, no message between the place and the first one can have been dropped unnoticed: the oldest of a topic are
 * dropped first, so while the message at the place is there, all after it are.
 */
export async function readAfter(source: Source, after: Place, limit: number): Promise<Page> {
  if (after.log !== source.log) return notWhole('reset');
  const first = after.offset + 1;
  const anywhere = await fromAnyReplica(source, first, limit);
  const found = (await isAtEdge(source, first)) ? await fromLeader(source, first, limit) : anywhere;
  const { messages, hasMore } = await notBehind(source, found, after.offset);
  const standing = await standingOf(source, after);
  if (standing !== 'whole') return notWhole(standing);
  const last = messages.at(-1);
  if (last !== undefined) source.saw(last);
  let prev = after.offset;
  const entries = messages.map((message) => {
    const entry = entryOf(source.log, message, prev);
    prev = entry.offset;
    return entry;
  });
  return { isWhole: true, entries, hasMore };
}

function notWhole(cause: 'expired' | 'reset'): Page {
  return { isWhole: false, cause };
}

function fromLeader({ stream, subject }: Source, seq: number, count: number): Promise<Batch> {
  return stream.chain((query) => stream.message(query), subject, seq, count);
}

function fromAnyReplica(source: Source, seq: number, count: number): Promise<Batch> {
  const { stream, subject, info } = source;
  if (!info.config.allow_direct) return fromLeader(source, seq, count);
  if (stream.hasBatches) return stream.batch(subject, seq, count);
  return stream.chain((query) => stream.direct(query), subject, seq, count);
}

/** Whether a replica may have dropped the first message from a number on already, while the leader has it. */
async function isAtEdge({ stream, subject, info, ask }: Source, seq: number): Promise<boolean> {
  if (info.config.num_replicas === 1 || !info.config.allow_direct) return false;
  const first = await stream.message({ seq, next_by_subj: subject });
  if (first === null) return false;
  const { state } = await ask();
  return !(first.keptAtMs - wallTimeOf(state.first_ts) >= EDGE_MS);
}

/**
 * A replica that lags behind has the first messages, and ends too early. So the end is where the leader says it is. Without
 * replicas, only the leader can have answered.
 */
async function notBehind(source: Source, found: Batch, offset: number): Promise<Batch> {
  const { stream, subject, info } = source;
  if (found.hasMore || info.config.num_replicas === 1) return found;
  const last = found.messages.at(-1)?.seq ?? offset;
  const newest = await stream.message({ last_by_subj: subject });
  if (newest === null || newest.seq <= last) return found;
  if (found.messages.length > 0) return { messages: found.messages, hasMore: true };
  return stream.chain((query) => stream.message(query), subject, offset + 1, 1);
}

async function standingOf(source: Source, after: Place): Promise<Standing> {
  const named = await standingOfNamed(source, after);
  if (named !== null) return named;
  const info = await reachingTo(source, after.offset);
  if (after.offset > info.state.last_seq) return 'reset';
  // A leader that was behind may have the message now.
  return (await standingOfNamed(source, after)) ?? standingOfNumber(source, after, info);
}

/** Returns `null` if the place names no message, or one that the leader does not have. */
async function standingOfNamed(source: Source, { offset, tag }: Place): Promise<Standing | null> {
  if (tag === '') return null;
  const found = await source.stream.message({ seq: offset });
  if (found === null) return null;
  return found.subject === source.subject && tagIn(found) === tag ? 'whole' : 'reset';
}

async function standingOfNumber(
  { stream, subject }: Source,
  { offset, tag }: Place,
  { config, state }: StreamInfo,
): Promise<Standing> {
  // Nothing after it has expired, and nothing was pushed out by newer messages of the topic.
  const { [subject]: count = 0 } = state.subjects ?? {};
  const cap = config.max_msgs_per_subject;
  const isFull = cap > 0 && count >= cap;
  // Otherwise, its message was removed by hand, or was pushed out before the stream got more room for its topic.
  const hasOnlyExpired = tag === '' || state.first_seq > offset;
  if (state.first_seq <= offset + 1 && hasOnlyExpired && !isFull) return 'whole';
  // A later one would outlive the newest.
  const newest = await stream.message({ last_by_subj: subject });
  return newest !== null && newest.seq <= offset ? 'whole' : 'expired';
}

/** Asks until the numbers of the stream reach as far, or certainly do not. */
async function reachingTo(source: Source, offset: number): Promise<StreamInfo> {
  const { stream, clock, subject, info } = source;
  const until = clock.now() + (info.config.num_replicas > 1 ? PATIENCE_MS : 0);
  for (;;) {
    const found = await source.ask(subject);
    if (found.state.last_seq >= offset || clock.now() >= until) return found;
    await pause(clock, ASK_AGAIN_MS, stream.lost);
  }
}
