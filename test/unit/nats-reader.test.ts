import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type {
  Batch,
  JetStream,
  MessageQuery,
  StreamInfo,
} from '../../src/bus/nats/log/jet-stream.ts';
import type { KeptMessage, LeaderMessage } from '../../src/bus/nats/log/kept-message.ts';
import { readAfter, readTail, type Source } from '../../src/bus/nats/log/reader.ts';
import { tagOf } from '../../src/bus/place.ts';
import type { Place } from '../../src/core/bus-log.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const SUBJECT = 'm.1.in.room';
const CAP = 5;

/** When the first message of the topic was kept, about. The stream has older ones, unless a test says otherwise. */
const OLD_MS = 100_000;

/** A stream with replicas, of which one lags behind the leader. */
class Replicas {
  readonly clock = new VirtualClock();
  /** What the leader has, and up to which number the replica and a new leader have it. */
  readonly messages: LeaderMessage[] = [];
  /** What a reader has taken note of. */
  readonly seen: number[] = [];
  replicaSeq = Number.POSITIVE_INFINITY;
  leaderSeq = Number.POSITIVE_INFINITY;
  firstSeq = 1;
  /** When the first message of the stream was kept, in whichever topic. */
  firstAtMs = 0;
  /** The replica has dropped what is before this number, because it is too old. */
  replicaFirstSeq = 0;
  /** Runs before each answer of the leader. */
  beforeAnswer: () => void = () => {};

  add(...seqs: readonly number[]): void {
    for (const seq of seqs)
      this.messages.push({
        seq,
        subject: SUBJECT,
        keptAtMs: OLD_MS + seq * 1_000,
        id: `room/m${seq}`,
        prev: 0,
        isBinary: false,
        payload: Buffer.from(`m${seq}`),
      });
  }

  drop(count: number): void {
    this.messages.splice(0, count);
  }

  get #ofLeader(): LeaderMessage[] {
    return this.messages.filter(({ seq }) => seq <= this.leaderSeq);
  }

  #info(): StreamInfo {
    const state = {
      first_seq: this.firstSeq,
      first_ts: new Date(this.firstAtMs).toISOString(),
      last_seq: this.#ofLeader.at(-1)?.seq ?? 0,
      subjects: { [SUBJECT]: this.#ofLeader.length },
    };
    const config = { num_replicas: 3, allow_direct: true, max_msgs_per_subject: CAP };
    return { created: '', config, state } as unknown as StreamInfo;
  }

  #message(query: MessageQuery): LeaderMessage | null {
    this.beforeAnswer();
    const all = this.#ofLeader;
    if ('last_by_subj' in query) return all.at(-1) ?? null;
    if ('next_by_subj' in query) return all.find(({ seq }) => seq >= query.seq) ?? null;
    return all.find(({ seq }) => seq === query.seq) ?? null;
  }

  #batch(from: number, count: number): Batch {
    const first = Math.max(from, this.replicaFirstSeq);
    const found = this.messages.filter(({ seq }) => seq >= first && seq <= this.replicaSeq);
    return { messages: found.slice(0, count), hasMore: found.length > count };
  }

  get source(): Source {
    const stream = {
      hasBatches: true,
      lost: new AbortController().signal,
      message: async (query: MessageQuery) => this.#message(query),
      batch: async (_: string, seq: number, count: number) => this.#batch(seq, count),
      chain: async (_: unknown, __: string, seq: number, count: number) => {
        const found = this.#ofLeader.filter((message) => message.seq >= seq).slice(0, count);
        return { messages: found, hasMore: true };
      },
    } as unknown as JetStream;
    const ask = async () => {
      this.beforeAnswer();
      return this.#info();
    };
    const { clock } = this;
    const saw = ({ seq }: KeptMessage) => void this.seen.push(seq);
    return { stream, clock, subject: SUBJECT, log: 'log', info: this.#info(), saw, ask };
  }

  async read(after: Place, limit = 10) {
    const page = await readAfter(this.source, after, limit);
    if (!page.isWhole) return page.cause;
    return { offsets: page.entries.map(({ offset }) => offset), hasMore: page.hasMore };
  }
}

function placeOf(offset: number): Place {
  return { log: 'log', offset, tag: tagOf(`m${offset}`) };
}

describe('readAfter', () => {
  it('goes on where a replica ends before the leader', async () => {
    const replicas = new Replicas();
    replicas.add(1, 2, 3, 4);
    replicas.replicaSeq = 3;
    assert.deepEqual(await replicas.read(placeOf(1)), { offsets: [2, 3], hasMore: true });
    assert.deepEqual(await replicas.read(placeOf(3)), { offsets: [4], hasMore: true });
    assert.deepEqual(await replicas.read(placeOf(4)), { offsets: [], hasMore: false });
    assert.deepEqual(replicas.seen, [3, 4]);
    // It does not even have the place.
    replicas.replicaSeq = 0;
    assert.deepEqual(await replicas.read(placeOf(2), 1), { offsets: [3], hasMore: true });
  });

  it('says that there is more only if there may be', async () => {
    const replicas = new Replicas();
    replicas.add(1, 2, 3);
    assert.deepEqual(await replicas.read(placeOf(1), 2), { offsets: [2, 3], hasMore: false });
    assert.deepEqual(await replicas.read(placeOf(1), 1), { offsets: [2], hasMore: true });
  });

  it('notices messages that are pushed out while it reads', async () => {
    const replicas = new Replicas();
    replicas.add(1, 2, 3, 4, 5);
    replicas.beforeAnswer = () => {
      replicas.add(...[6, 7].filter((seq) => seq > (replicas.messages.at(-1)?.seq ?? 0)));
      replicas.drop(replicas.messages.length - CAP);
    };
    assert.equal(await replicas.read(placeOf(1)), 'expired');
    assert.deepEqual(await replicas.read(placeOf(3)), { offsets: [4, 5, 6, 7], hasMore: false });
  });

  it('asks the leader for what a replica may have dropped before it', async () => {
    const replicas = new Replicas();
    replicas.add(1, 2, 3, 4);
    replicas.replicaFirstSeq = 3;
    // The first message of the stream is that of the place.
    replicas.firstAtMs = OLD_MS + 1_000;
    assert.deepEqual(await replicas.read(placeOf(1)), { offsets: [2, 3, 4], hasMore: true });
  });

  it('waits for a new leader that is behind, and not for ever', async () => {
    const replicas = new Replicas();
    replicas.add(1, 2, 3);
    replicas.leaderSeq = 2;
    const behind = replicas.read(placeOf(3));
    await advance(replicas, 2_000);
    replicas.leaderSeq = 3;
    await advance(replicas, 1_000);
    assert.deepEqual(await behind, { offsets: [], hasMore: false });
    const invented = replicas.read(placeOf(9));
    await advance(replicas, 6_000);
    assert.equal(await invented, 'reset');
  });
});

describe('readTail', () => {
  it('counts a message that is kept between its two questions', async () => {
    const replicas = new Replicas();
    replicas.add(1, 2);
    let answers = 0;
    replicas.beforeAnswer = () => {
      answers += 1;
      if (answers === 2) replicas.add(3);
    };
    assert.deepEqual(await readTail(replicas.source), {
      newest: placeOf(3),
      upTo: { log: 'log', offset: 3, tag: '' },
    });
  });
});

async function advance({ clock }: Replicas, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) {
    await new Promise(setImmediate);
    clock.advance(500);
    await new Promise(setImmediate);
  }
}
