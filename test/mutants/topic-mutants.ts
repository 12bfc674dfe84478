import type { Mutant } from './mutant.ts';

const fanOut = 'src/server/fan-out.ts';
const topics = 'src/server/topics.ts';
const durableTopics = 'src/server/durable/durable-topics.ts';
const follower = 'src/server/durable/follower.ts';
const memoryStore = 'src/bus/memory-store.ts';
const gaplessRun = 'src/bus/gapless-run.ts';
const topicLog = 'src/bus/topic-log.ts';
const exchange = 'src/connection/exchange.ts';

/** Faults of topics, durable topics and requests. */
export const topicMutants: readonly Mutant[] = [
  // Fan-out and topics.
  {
    name: 'except ignored',
    fault: 'A publication also reaches the members that it excepts.',
    file: fanOut,
    from: 'for (const connection of except) if (audience.has(connection)) this.setApart(connection);',
    to: '',
  },
  {
    name: 'late member',
    fault: 'A member that joins in the middle of a turn gets what was published before.',
    file: topics,
    from: 'if (audience.shared !== null) this.fanOut.setApart(connection);',
    to: '',
  },
  {
    name: 'lost at leaving',
    fault: 'A member that leaves a topic loses what was published in the same turn before.',
    file: topics,
    from: 'this.fanOut.claim(connection);\n    this.#active',
    to: 'this.#active',
  },
  {
    name: 'endless topics',
    fault: 'A peer may be a member of any number of topics.',
    file: topics,
    from: 'if (connection.side.topics.size >= this.#topicsMax) return false;',
    to: '',
  },
  // Durable topics.
  {
    name: 'gap unseen',
    fault: 'A kept message that was missed on the way from the bus is not noticed.',
    file: gaplessRun,
    from: 'return prev !== 0 && prev <= this.#wholeUpTo;',
    to: 'return prev >= 0;',
  },
  {
    name: 'foreign past',
    fault: 'Another message with a known number does not show that the bus has an older past.',
    file: gaplessRun,
    from: "return here.tag !== '' && here.tag !== tag;",
    to: 'return tag === null;',
  },
  {
    name: 'early forever',
    fault: 'A topic whose end was not heard never learns about it.',
    file: topicLog,
    from: 'for (const place of [newest, read.at(-1)]) if (place) run.learn(place.offset);',
    to: 'void read;',
  },
  {
    name: 'tag ignored',
    fault: 'A position with the number of another message counts as one of this topic.',
    file: memoryStore,
    from: 'at?.offset === after.offset ? at.tag === after.tag : isDropped;',
    to: 'at?.offset === after.offset || isDropped;',
  },
  {
    name: 'other log accepted',
    fault: 'A position in the log of another process or bus counts as one of this log.',
    file: memoryStore,
    from: 'after.log !== this.#log || after.offset > this.#offset',
    to: 'after.offset > this.#offset',
  },
  {
    name: 'expired in silence',
    fault: 'A client that was away for too long is told that nothing is missing.',
    file: memoryStore,
    from: 'if (after.offset < droppedUpTo) return expired;',
    to: '',
  },
  {
    name: 'kept twice',
    fault: 'A message that is appended twice under one id is kept twice.',
    file: memoryStore,
    from: 'if (first !== undefined) return { place: first, isDuplicate: true };',
    to: '',
  },
  {
    name: 'endless positions',
    fault: 'A client may make the server remember any number of positions.',
    file: 'src/server/durable/positions.ts',
    from: 'if (this.#positions.size >= POSITIONS_MAX) return;',
    to: '',
  },
  {
    name: 'endless turn',
    fault: 'Thousands of clients that come back at once hold up all others.',
    file: durableTopics,
    from: 'left -= Math.max(1, follower.pump(left));',
    to: 'follower.pump(left);',
  },
  {
    name: 'endless reads',
    fault: 'All clients that come back read from the bus at once.',
    file: durableTopics,
    from: 'if (this.#reading.size >= READS_MAX) return;',
    to: '',
  },
  {
    name: 'greedy reader',
    fault: 'A member that takes few messages makes the server read many again and again.',
    file: follower,
    from: 'this.#pageMax = Math.min(PAGE_MAX, Math.max(1, 2 * sent), this.#pageMax * 2);',
    to: 'this.#pageMax = Math.min(PAGE_MAX, this.#pageMax * 2);',
  },
  // Requests.
  {
    name: 'endless requests',
    fault: 'Any number of requests may wait for answers on one connection.',
    file: exchange,
    from: 'return this.#awaited >= requestsMax;',
    to: 'return this.#awaited > 10 * requestsMax;',
  },
  {
    name: 'answer after drop',
    fault: 'A request is answered although the peer has given it up.',
    file: exchange,
    from: 'if (this.#handlings.delete(handling)) this.#reply(handling.id, result);',
    to: 'this.#handlings.delete(handling);\n      this.#reply(handling.id, result);',
  },
  {
    name: 'reason revealed',
    fault: 'A peer learns the error of a handler.',
    file: exchange,
    from: "this.#answer(['no', id, 'internal', '']);",
    to: "this.#answer(['no', id, 'internal', String(thrown)]);",
  },
  {
    name: 'receipt lost',
    fault: 'A receipt that had to wait for the outbox is never given.',
    file: exchange,
    from: 'if (!isSent) this.#unsent.push(',
    to: 'if (!isSent && ask) this.#unsent.push(',
  },
];
