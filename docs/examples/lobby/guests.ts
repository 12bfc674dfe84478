import type { GuestKind, Outbound } from './contract.ts';
import { GuestClient } from './guest-client.ts';

const GUESTS_MAX = 12;
const LIFETIME_MS = 25_000;
/** Long enough to find the row of the guest in the table before it misbehaves. */
const MISBEHAVE_AFTER_MS = 1_500;
const FLOOD_MESSAGES = 400;
/** Long enough for the server to find it asleep, and for you to see it. */
const DOZE_MS = 14_000;

/** The name of a guest, its first message and what it does next. */
interface Behaviour {
  readonly name: string;
  readonly says: string;
  /** The subprotocol that it offers. */
  readonly subprotocol?: string;
  misbehave(client: GuestClient): void;
}

const behaviours: Record<GuestKind, Behaviour> = {
  polite: {
    name: 'Polite Puffin',
    says: 'I only wanted to say hello. Goodbye!',
    misbehave: (client) => client.close(1000, 'bye'),
  },
  vanish: {
    name: 'Vanishing Vaquita',
    says: 'My network is not very reliab',
    misbehave: (client) => client.reset(),
  },
  freeze: {
    name: 'Frozen Fulmar',
    says: 'It is getting cold in here.',
    misbehave: (client) => client.freeze(),
  },
  doze: {
    name: 'Dozing Dugong',
    says: 'I only close my eyes for a moment.',
    // Like a frozen page: it never answers beats, but its client answers pings, as a browser does.
    subprotocol: 'mooring.v1',
    misbehave: doze,
  },
  flood: {
    name: 'Flooding Flounder',
    says: 'I have a lot to say!',
    misbehave: flood,
  },
  garbage: {
    name: 'Garbling Gull',
    says: 'Kra kra krrk.',
    misbehave: (client) => client.sendBytes(Buffer.from('GARBAGE IS NOT A FRAME')),
  },
  stall: {
    name: 'Stalled Sturgeon',
    says: 'Send me everything. I will read it later.',
    misbehave: stall,
  },
  wait: {
    name: 'Waiting Walrus',
    says: 'At last, a welcome.',
    misbehave: (client) => client.close(1000, 'thanks for having me'),
  },
  refused: {
    name: '',
    says: '',
    misbehave: () => {},
  },
};

function flood(client: GuestClient): void {
  for (let sent = 0; sent < FLOOD_MESSAGES; sent += 1) client.send({ type: 'noop' });
}

function doze(client: GuestClient): void {
  const wake = () => {
    client.send({ type: 'say', room: 'harbour', text: 'Did I miss anything?' });
    setTimeout(() => client.close(1000, 'rested'), MISBEHAVE_AFTER_MS).unref();
  };
  setTimeout(wake, DOZE_MS).unref();
}

function stall(client: GuestClient): void {
  client.send({ type: 'heavy-feed' });
  client.stopReading();
}

/** Clients that the lobby connects to itself, and that misbehave on request. Their number and lifetime are limited. */
export class Guests {
  /** The port of the lobby. Set it when the lobby listens. */
  port = 0;
  readonly max = GUESTS_MAX;
  readonly #clients = new Set<GuestClient>();
  #invited: number;

  /** @param invited - how many guests have a number already. */
  constructor(invited: number) {
    this.#invited = invited;
  }

  get count(): number {
    return this.#clients.size;
  }

  /** Connects a guest. Returns the answer for the connection that invited it. */
  invite(kind: GuestKind): Outbound {
    if (this.#clients.size >= GUESTS_MAX) {
      const text = `There are ${GUESTS_MAX} guests already. Try again in a few seconds.`;
      return { type: 'notice', level: 'warn', text };
    }
    this.#invited += 1;
    const { name } = behaviours[kind];
    const fullName = name && `${name} ${this.#invited}`;
    this.#connect(kind, fullName);
    return { type: 'invited', kind, name: fullName };
  }

  /** Destroys the sockets of all guests. */
  close(): void {
    for (const client of this.#clients) client.destroy();
  }

  #connect(kind: GuestKind, name: string): void {
    const { subprotocol } = behaviours[kind];
    const client = new GuestClient({
      port: this.port,
      ...(subprotocol && { subprotocol }),
      target: `/ws?${new URLSearchParams({ name, guest: kind })}`,
      onWelcome: () => behave(client, behaviours[kind]),
      onEnd: () => {
        clearTimeout(lifetime);
        this.#clients.delete(client);
      },
    });
    const lifetime = setTimeout(() => client.destroy(), LIFETIME_MS);
    this.#clients.add(client);
  }
}

function behave(client: GuestClient, { says, misbehave }: Behaviour): void {
  client.send({ type: 'join', room: 'harbour' });
  client.send({ type: 'say', room: 'harbour', text: says });
  setTimeout(() => misbehave(client), MISBEHAVE_AFTER_MS).unref();
}
