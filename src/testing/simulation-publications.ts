import type { AudienceOptions } from '../server/supervisor-types.ts';
import type { Delivery } from '../server/topic.ts';
import type { SimulatedConnection, SimulatedLife, SimulatedMessage } from './simulation-life.ts';
import type { SimulationWorld } from './simulation-world.ts';

/** Longest filling of a published message, in bytes. */
const PAD_MAX = 3_000;

interface Publication {
  readonly n: number;
  /** `undefined` for a broadcast. */
  readonly topic: string | undefined;
  readonly receivers: Set<SimulatedLife>;
  readonly refusedBy: Set<SimulatedLife>;
  readonly left: ReadonlySet<SimulatedLife>;
  writes: number;
}

/** Watches that each publication reaches every open, uncongested member once, and nobody else. */
export class SimulatedPublications {
  readonly #world: SimulationWorld;
  /** Those under way; `where` may publish as well. */
  readonly #underWay: Publication[] = [];
  #lastN = 1_000_000;

  constructor(world: SimulationWorld) {
    this.#world = world;
  }

  /** A data frame was written to a connection. */
  wrote(life: SimulatedLife, frame: Uint8Array): void {
    const n = numberIn(frame);
    const publication = this.#underWay.find((other) => other.n === n);
    if (publication === undefined) return;
    const { broken } = { broken: (problem: string) => this.#broken(problem, publication, life) };
    publication.writes += 1;
    if (publication.receivers.has(life)) broken('written twice');
    publication.receivers.add(life);
    if (publication.left.has(life)) broken('written to one that was left out');
    if (publication.refusedBy.has(life)) broken('written to one that `where` refused');
    if (publication.topic !== undefined && !life.topics.has(publication.topic)) {
      broken('written to a stranger');
    }
  }

  /** Publishes one message to a topic, or to all. */
  publish(topic: string | undefined, where: ((life: SimulatedLife) => boolean) | undefined): void {
    const { supervisor, random, plan } = this.#world;
    const publication = this.#begin(topic);
    const message: SimulatedMessage = {
      n: publication.n,
      pad: 'x'.repeat(
        random.chance(0.5) ? random.integer(0, plan.limits.outboxHighBytes / 2) % PAD_MAX : 0,
      ),
    };
    const candidates = this.#candidates(publication);
    const options = this.#audience(publication, where);
    const delivery =
      topic === undefined
        ? supervisor.broadcast(message, options)
        : supervisor.topic(topic).publish(message, options);
    this.#underWay.splice(this.#underWay.indexOf(publication), 1);
    this.#judge(publication, candidates, delivery);
  }

  #begin(topic: string | undefined): Publication {
    const { lives, random } = this.#world;
    this.#lastN += 1;
    const left = new Set<SimulatedLife>();
    if (random.chance(0.2) && lives.length > 0) {
      left.add(lives[random.integer(0, lives.length - 1)] as SimulatedLife);
    }
    const publication: Publication = {
      n: this.#lastN,
      topic,
      receivers: new Set(),
      refusedBy: new Set(),
      left,
      writes: 0,
    };
    this.#underWay.push(publication);
    this.#world.note('publishes', 0, publication.n);
    return publication;
  }

  #audience(
    { left, refusedBy }: Publication,
    where: ((life: SimulatedLife) => boolean) | undefined,
  ): AudienceOptions<SimulatedConnection> {
    const { lives } = this.#world;
    const except = [...left].flatMap(({ connection }) => connection ?? []);
    const [first] = except;
    return {
      ...(first && { except: except.length === 1 ? first : except }),
      ...(where && {
        where: (connection) => {
          const life = lives[connection.peer - 1] as SimulatedLife;
          refusedBy.add(life);
          const accepts = where(life);
          if (accepts) refusedBy.delete(life);
          return accepts;
        },
      }),
    };
  }

  #candidates({ topic, left }: Publication): SimulatedLife[] {
    const candidates: SimulatedLife[] = [];
    for (const connection of this.#world.supervisor.connections) {
      const life = this.#world.lives[connection.peer - 1] as SimulatedLife;
      if (life.isCongested || left.has(life)) continue;
      if (topic === undefined || life.topics.has(topic)) candidates.push(life);
    }
    return candidates;
  }

  #judge(publication: Publication, candidates: SimulatedLife[], delivery: Delivery): void {
    const { receivers, refusedBy, topic } = publication;
    for (const life of candidates) {
      if (receivers.has(life) || refusedBy.has(life) || !this.#world.isRegistered(life)) continue;
      if (topic !== undefined && !life.topics.has(topic)) continue;
      // Whoever congested meanwhile, or found its socket dead at this very write, did not get it.
      if (isCongested(life) || !life.socket.writable) continue;
      this.#broken('not written to a member', publication, life);
    }
    if (delivery.delivered !== publication.writes) {
      this.#broken(`told ${delivery.delivered} of ${publication.writes} writes`, publication);
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

/** A report waits while another of the same connection is being delivered; its chart knows already. */
function isCongested({ isCongested: isTold, connection }: SimulatedLife): boolean {
  return isTold || connection?.states.includes('open.flow.congested') === true;
}

const ZERO = 0x30;
const SHORT_MAX = 125;

/** The number in `{"n":123…}` behind the header of a frame, which all that are published begin with. */
function numberIn(frame: Uint8Array): number {
  const start = (frame[1] as number) <= SHORT_MAX ? 2 : 4;
  let number = 0;
  for (let index = start + '{"n":'.length; index < frame.length; index += 1) {
    const digit = (frame[index] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}
