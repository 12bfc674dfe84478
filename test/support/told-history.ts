import type { Appended } from '../../src/index.ts';

/** A message of a topic, and the position that the server has given it. */
interface Told {
  readonly message: unknown;
  readonly position: string;
}

/** What a server must tell a client that says it is at some place of a topic. */
export interface Judgement {
  /** Whether it may, or must, tell the client that nothing is missing. */
  readonly resumed: 'never' | 'maybe' | 'always';
  /** The messages that the client then gets. */
  readonly missed: readonly unknown[];
}

/** The parts of a position. Only a test looks into them. */
interface Parts {
  readonly log: string;
  readonly offset: number;
  readonly tag: string;
}

const RADIX = 36;

/**
 * All that was appended to the topics of one server, as somebody knows it who has read each answer. It judges positions by that
 * alone, and does not know how the server looks them up.
 */
export class ToldHistory {
  readonly #topics = new Map<string, Told[]>();
  /** Further positions that clients were told to be at: `<topic> <position>`. */
  readonly #places = new Set<string>();
  readonly #messagesPerTopic: number;
  #log = '';
  #end = 0;

  /** @param messagesPerTopic - how many messages the server keeps at least. */
  constructor(messagesPerTopic: number) {
    this.#messagesPerTopic = messagesPerTopic;
  }

  appended(topic: string, message: unknown, appended: Appended): void {
    if (!('position' in appended)) throw new Error('it is not confirmed');
    const { log, offset } = partsOf(appended.position);
    this.#log = log;
    this.#end = Math.max(this.#end, offset);
    this.#ofTopic(topic).push({ message, position: appended.position });
  }

  /** A client was told that it is here. */
  told(topic: string, position: string): void {
    this.#places.add(`${topic} ${position}`);
  }

  /** The position of a message: the first is 0, and the last -1. */
  positionOf(topic: string, at: number): string {
    const all = this.#ofTopic(topic);
    return all.at(all.length === 0 ? 0 : at % all.length)?.position ?? `${this.#log}.0.`;
  }

  /** The newest message of a topic. */
  last(topic: string): unknown {
    return this.#ofTopic(topic).at(-1)?.message;
  }

  judge(topic: string, position: unknown): Judgement {
    const all = this.#ofTopic(topic);
    const parts = typeof position === 'string' ? partsOf(position) : noParts;
    const { log, offset, tag } = parts;
    const later = all.filter((told) => partsOf(told.position).offset > offset);
    const missed = later.map(({ message }) => message);
    const judged = (resumed: Judgement['resumed']) => ({ resumed, missed });
    const isWritten = position === `${log}.${offset.toString(RADIX)}.${tag}`;
    if (!isWritten || log !== this.#log || offset > this.#end) return judged('never');
    // What is dropped may still be in the memory of the process.
    const isKept = later.length <= this.#messagesPerTopic;
    const isTold = all.some((told) => told.position === position);
    if (isTold || this.#places.has(`${topic} ${position}`))
      return judged(isKept ? 'always' : 'maybe');
    // Of the last message that was dropped, only the number is known.
    const dropped = all.at(-this.#messagesPerTopic - 1)?.position;
    const isDropped = dropped !== undefined && partsOf(dropped).offset === offset;
    return judged(tag === '' || isDropped ? 'maybe' : 'never');
  }

  #ofTopic(topic: string): Told[] {
    const all = this.#topics.get(topic) ?? [];
    this.#topics.set(topic, all);
    return all;
  }
}

const noParts: Parts = { log: '', offset: 0, tag: '' };

function partsOf(position: string): Parts {
  const [log = '', digits = '', tag = ''] = position.split('.');
  const offset = Number.parseInt(digits, RADIX);
  return Number.isSafeInteger(offset) ? { log, offset, tag } : noParts;
}
