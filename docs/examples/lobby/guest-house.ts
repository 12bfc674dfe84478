import type { GuestKind, Outbound } from './contract.ts';
import { GuestLine } from './guest-line.ts';

const ABOARD_MAX = 12;
const LIFE_MS = 25_000;
/** Long enough to find its row in the table before it misbehaves. */
const GOOD_BEHAVIOUR_MS = 1_500;
const FLOOD_MESSAGES = 400;
/** Long enough to be found asleep, and to be seen. */
const DOZE_MS = 14_000;

/** How a kind of guest introduces itself, and what it does then. */
interface Manners {
  readonly name: string;
  readonly says: string;
  /** What it offers to speak. */
  readonly subprotocol?: string;
  misbehave(line: GuestLine): void;
}

const manners: Record<GuestKind, Manners> = {
  polite: {
    name: 'Polite Puffin',
    says: 'Just passing through. Fair winds!',
    misbehave: (line) => line.close(1000, 'bye'),
  },
  vanish: {
    name: 'Vanishing Vaquita',
    says: 'I might be gone any mo',
    misbehave: (line) => line.vanish(),
  },
  freeze: {
    name: 'Frozen Fulmar',
    says: 'It is getting cold in here.',
    misbehave: (line) => line.freeze(),
  },
  doze: {
    name: 'Dozing Dugong',
    says: 'I only close my eyes for a moment.',
    // It answers no beat, as a page that is frozen; pings are answered by its line, as by a browser.
    subprotocol: 'mooring.beat',
    misbehave: doze,
  },
  flood: {
    name: 'Flooding Flounder',
    says: 'I have so much to say!',
    misbehave: flood,
  },
  garbage: {
    name: 'Garbling Gull',
    says: 'Kra kra krrk.',
    misbehave: (line) => line.sendBytes(Buffer.from('GARBAGE IS NOT A FRAME')),
  },
  stall: {
    name: 'Stalled Sturgeon',
    says: 'Put it on the pile, please.',
    misbehave: stall,
  },
  wait: {
    name: 'Waiting Walrus',
    says: 'At last, a welcome.',
    misbehave: (line) => line.close(1000, 'thanks for having me'),
  },
  refused: {
    name: '',
    says: '',
    misbehave: () => {},
  },
};

function flood(line: GuestLine): void {
  for (let sent = 0; sent < FLOOD_MESSAGES; sent += 1) line.send({ type: 'noise' });
}

function doze(line: GuestLine): void {
  const wake = () => {
    line.send({ type: 'say', room: 'harbour', text: 'Did I miss anything?' });
    setTimeout(() => line.close(1000, 'rested'), GOOD_BEHAVIOUR_MS).unref();
  };
  setTimeout(wake, DOZE_MS).unref();
}

function stall(line: GuestLine): void {
  line.send({ type: 'haul' });
  line.stopReading();
}

/** Peers of the lobby's own that misbehave on request: few at once, and none for long. */
export class GuestHouse {
  /** Where the lobby listens; known only once it does. */
  port = 0;
  readonly aboardMax = ABOARD_MAX;
  readonly #lines = new Set<GuestLine>();
  #invited = 0;

  get aboard(): number {
    return this.#lines.size;
  }

  /** Sends a guest of one kind on its way. Returns what to tell whoever invited it. */
  invite(kind: GuestKind): Outbound {
    if (this.#lines.size >= ABOARD_MAX) {
      const text = `All ${ABOARD_MAX} guest berths are taken; one will be free in a few seconds.`;
      return { type: 'notice', level: 'warn', text };
    }
    this.#invited += 1;
    const { name } = manners[kind];
    const fullName = name && `${name} ${this.#invited}`;
    this.#send(kind, fullName);
    return { type: 'invited', kind, name: fullName };
  }

  /** Sends everybody home. */
  close(): void {
    for (const line of this.#lines) line.destroy();
  }

  #send(kind: GuestKind, name: string): void {
    const { subprotocol } = manners[kind];
    const line = new GuestLine({
      port: this.port,
      ...(subprotocol && { subprotocol }),
      target: `/ws?${new URLSearchParams({ name, guest: kind })}`,
      onWelcome: () => behave(line, manners[kind]),
      onEnd: () => {
        clearTimeout(life);
        this.#lines.delete(line);
      },
    });
    const life = setTimeout(() => line.destroy(), LIFE_MS);
    this.#lines.add(line);
  }
}

function behave(line: GuestLine, { says, misbehave }: Manners): void {
  line.send({ type: 'join', room: 'harbour' });
  line.send({ type: 'say', room: 'harbour', text: says });
  setTimeout(() => misbehave(line), GOOD_BEHAVIOUR_MS).unref();
}
