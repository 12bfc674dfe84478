import type { AudienceOptions, Delivery, TopicOptions } from '../../src/server/supervisor-types.ts';
import type { SimulatedConnection, SimulatedLife, SimulatedMessage } from './life.ts';
import { payloadsIn } from './server-frames.ts';
import type { SimulationWorld } from './world.ts';

/** The topics of the simulated service, one for each thing that can happen to a slow member. */
export const TOPICS = ['red', 'green', 'blue'] as const;

type TopicName = (typeof TOPICS)[number];

const INSTANT_MS = 0.001;

const KEYS = 3;

const keyOf = ({ n }: SimulatedMessage) => String(n % KEYS);

const topicOptions: Record<TopicName, TopicOptions<SimulatedMessage>> = {
  red: {},
  green: { overflow: 'latest', keyOf },
  blue: { overflow: 'close' },
};

/** The longest padding of a published message, in bytes. */
const PAD_MAX = 3_000;

/** A message that may be written to members, and what is known of it. */
interface Publication {
  readonly n: number;
  /** `undefined` for a broadcast. */
  readonly topic: TopicName | undefined;
  /** The members when it began. Nobody else may get it. */
  readonly members: ReadonlySet<SimulatedLife>;
  readonly left: ReadonlySet<SimulatedLife>;
  readonly refusedBy: Set<SimulatedLife>;
  readonly receivers: Set<SimulatedLife>;
  /** Its `where` published others, which went before it. */
  isTangled: boolean;
  /** Its turn of the event loop is over. */
  isOver: boolean;
}

/** Checks that each publication reaches every open, uncongested member once, in order, and nobody else. */
export class SimulatedPublications {
  readonly #world: SimulationWorld;
  /** The publications whose `where` is running. */
  readonly #asking: Publication[] = [];
  readonly #all = new Map<number, Publication>();
  /** What was last written to a connection, of all and of each key. */
  readonly #lastWritten = new Map<string, number>();
  #lastN = 1_000_000;

  constructor(world: SimulationWorld) {
    this.#world = world;
  }

  /** Data frames were written to a connection. */
  wrote(life: SimulatedLife, chunk: Uint8Array): void {
    for (const n of numbersIn(chunk)) {
      const publication = this.#all.get(n);
      if (publication !== undefined) this.#wroteOne(life, publication);
    }
  }

  #wroteOne(life: SimulatedLife, publication: Publication): void {
    const broken = (problem: string) => this.#broken(problem, publication, life);
    if (publication.receivers.has(life)) broken('written twice');
    publication.receivers.add(life);
    if (!publication.members.has(life)) broken('written to a stranger');
    if (publication.left.has(life)) broken('written to one that was left out');
    if (publication.refusedBy.has(life)) broken('written to one that `where` refused');
    if (publication.isOver && publication.topic !== 'green') broken('written late');
    if (!publication.isTangled) this.#checkOrder(life, publication);
  }

  /** A kept message has its place only among those of its key. */
  #checkOrder(life: SimulatedLife, publication: Publication): void {
    const { n, isOver } = publication;
    const line = isOver ? `${life.number} ${keyOf(publication)}` : `${life.number}`;
    const before = this.#lastWritten.get(line) ?? 0;
    if (n < before) this.#broken(`written behind ${before}`, publication, life);
    this.#lastWritten.set(line, n);
  }

  /** A direct message to one connection, sent by `send`. Returns whether it was accepted. */
  sendTo(life: SimulatedLife, send: (n: number) => boolean): void {
    const publication = this.#begin(undefined, new Set([life]), new Set());
    if (!send(publication.n)) publication.refusedBy.add(life);
    this.#end(publication);
  }

  /** Publishes one message to a topic, or to all connections. */
  publish(
    topic: TopicName | undefined,
    where: ((life: SimulatedLife) => boolean) | undefined,
  ): void {
    const { supervisor, random, plan } = this.#world;
    const publication = this.#begin(topic, this.#members(topic), this.#leftOut());
    this.#world.note('publishes', 0, publication.n);
    const padMax = plan.limits.outboxHighBytes / 2;
    const pad = 'x'.repeat(random.chance(0.5) ? random.integer(0, padMax) % PAD_MAX : 0);
    const message: SimulatedMessage = { n: publication.n, pad };
    const options = this.#audience(publication, where);
    if (topic === 'blue') {
      for (const { deeds } of publication.members) deeds.add('sent what must not be missed');
    }
    const delivery =
      topic === undefined
        ? supervisor.broadcast(message, options)
        : supervisor.topic(topic, topicOptions[topic]).publish(message, options);
    const expected = this.#expected(publication);
    this.#end(publication, () => this.#judge(publication, expected, delivery));
  }

  #members(topic: TopicName | undefined): Set<SimulatedLife> {
    const members = new Set<SimulatedLife>();
    for (const connection of this.#world.supervisor.connections) {
      const life = this.#world.lives[connection.peer - 1] as SimulatedLife;
      if (topic === undefined || life.topics.has(topic)) members.add(life);
    }
    return members;
  }

  #leftOut(): Set<SimulatedLife> {
    const { lives, random } = this.#world;
    if (!random.chance(0.2) || lives.length === 0) return new Set();
    const life = lives[random.integer(0, lives.length - 1)] as SimulatedLife;
    // A connection that is open and not reported yet has no name by which it could be excluded.
    return new Set(life.connection === null ? [] : [life]);
  }

  #begin(
    topic: TopicName | undefined,
    members: ReadonlySet<SimulatedLife>,
    left: ReadonlySet<SimulatedLife>,
  ): Publication {
    this.#lastN += 1;
    const publication: Publication = {
      n: this.#lastN,
      topic,
      members,
      left,
      refusedBy: new Set(),
      receivers: new Set(),
      isTangled: false,
      isOver: false,
    };
    this.#all.set(publication.n, publication);
    for (const each of this.#asking) each.isTangled = true;
    return publication;
  }

  /** Its turn ends when everything that is due at this moment is done, in any order. */
  #end(publication: Publication, judge: () => void = () => {}): void {
    this.#world.in(INSTANT_MS, () => {
      judge();
      publication.isOver = true;
    });
  }

  #audience(
    publication: Publication,
    where: ((life: SimulatedLife) => boolean) | undefined,
  ): AudienceOptions<SimulatedConnection> {
    const { left, refusedBy } = publication;
    const { lives } = this.#world;
    const except = [...left].flatMap(({ connection }) => connection ?? []);
    const [first] = except;
    return {
      ...(first && { except: except.length === 1 ? first : except }),
      ...(where && {
        where: (connection) => {
          const life = lives[connection.peer - 1] as SimulatedLife;
          refusedBy.add(life);
          this.#asking.push(publication);
          const accepts = where(life);
          this.#asking.pop();
          if (accepts) refusedBy.delete(life);
          return accepts;
        },
      }),
    };
  }

  /** The members that must get it, if their sockets stay alive for the rest of the turn. */
  #expected({ members, left, refusedBy, topic }: Publication): SimulatedLife[] {
    return [...members].filter((life) => {
      if (left.has(life) || refusedBy.has(life) || !this.#world.isRegistered(life)) return false;
      return !isCongested(life) && (topic === undefined || life.topics.has(topic));
    });
  }

  #judge(publication: Publication, expected: readonly SimulatedLife[], delivery: Delivery): void {
    const { receivers, members } = publication;
    for (const life of expected) {
      if (receivers.has(life) || !life.socket.writable) continue;
      this.#broken('not written to a member', publication, life);
    }
    const { delivered, kept, dropped } = delivery;
    const unwritable = [...members].filter(({ socket }) => !socket.writable).length;
    if (delivered + kept < receivers.size || delivered > receivers.size + unwritable) {
      this.#broken(`told ${delivered} of ${receivers.size} writes`, publication);
    }
    if (delivered + kept + dropped > members.size) {
      this.#broken(`told ${JSON.stringify(delivery)} of ${members.size}`, publication);
    }
  }

  #broken(problem: string, { n, topic }: Publication, life?: SimulatedLife): void {
    this.#world.broken(
      'publication-reaches-members-once',
      `${n} to ${topic ?? 'all'}: ${problem}`,
      life,
    );
  }
}

/** A report waits while another of the same connection is being delivered. Its chart already knows. */
function isCongested({ isCongested: isTold, connection }: SimulatedLife): boolean {
  return isTold || connection?.flow === 'congested';
}

const ZERO = 0x30;

/** The number in `{"n":123…}` of each frame. All messages of the service begin with it. 0 for a beat. */
function numbersIn(chunk: Uint8Array): number[] {
  return payloadsIn(chunk).map((payload) => numberAt(payload, '{"n":'.length));
}

function numberAt(bytes: Uint8Array, start: number): number {
  let number = 0;
  for (let index = start; index < bytes.length; index += 1) {
    const digit = (bytes[index] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}
