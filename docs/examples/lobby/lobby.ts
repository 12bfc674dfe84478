import { setTimeout as delay } from 'node:timers/promises';
import { createSupervisor } from 'mooring';
import { authenticate } from './authenticate.ts';
import {
  type Inbound,
  inbound,
  type LobbyConnection,
  type LobbySupervisor,
  type Outbound,
  outbound,
  type Peer,
  roomNames,
} from './contract.ts';
import type { Guests } from './guests.ts';
import { HeavyFeed } from './heavy-feed.ts';
import { Monitor } from './monitor.ts';
import { Rooms } from './rooms.ts';

const SLOW_WELCOME_MS = 3_000;

/** Limits and timeouts for a demo: far below the defaults, so that you see each consequence within seconds. */
const demoOptions = {
  admission: { connectionsMax: 240, connectionsPerAddressMax: 120, acceptsPerSecondMax: 100 },
  timeouts: { stalledMs: 4_000, closeMs: 2_000, welcomeMs: 6_000, handshakeMs: 5_000 },
  heartbeat: { intervalMs: 4_000, graceMs: 4_000 },
  overRate: 'close',
  limits: {
    payloadBytesMax: 16_384,
    messagesPerSecondMax: 20,
    messageBurstMax: 60,
    outboxHighBytes: 262_144,
    outboxLowBytes: 65_536,
    topicsMax: 16,
  },
} as const;

/** Chat rooms for browser tabs, with a live table of all connections and guests that misbehave. */
export class Lobby {
  readonly supervisor: LobbySupervisor;
  readonly #guests: Guests;
  readonly #rooms: Rooms;
  readonly #monitor: Monitor;
  readonly #heavyFeed: HeavyFeed;
  readonly #restart: () => void;
  readonly #startedAt = Date.now();

  /** @param restart - stops this lobby and starts another one on the same port. */
  constructor(guests: Guests, restart: () => void) {
    this.supervisor = createSupervisor<Peer, Inbound, Outbound>({
      messages: inbound,
      sends: outbound,
      authenticate,
      key: ({ name }) => name,
      onOpen: (connection) => this.#connectionOpened(connection),
      onMessage: (connection, message) => this.#messageReceived(connection, message),
      onClose: (connection, verdict) => this.#rooms.closed(connection, verdict),
      ...demoOptions,
    });
    this.#guests = guests;
    this.#restart = restart;
    this.#rooms = new Rooms(this.supervisor);
    this.#heavyFeed = new HeavyFeed(this.supervisor);
    this.#monitor = new Monitor({ supervisor: this.supervisor, rooms: this.#rooms, guests });
  }

  /** Until this settles, messages of the peer are not delivered, but none is lost. */
  async #connectionOpened(connection: LobbyConnection): Promise<void> {
    if (connection.peer.guest === 'wait') await delay(SLOW_WELCOME_MS, undefined, { ref: false });
    connection.send({
      type: 'welcome',
      id: connection.id,
      name: connection.peer.name,
      rooms: [...roomNames],
      serverStartedAt: this.#startedAt,
    });
  }

  #messageReceived(connection: LobbyConnection, message: Inbound): void {
    switch (message.type) {
      case 'watch':
        this.#monitor.watch(connection);
        break;
      case 'join':
        this.#rooms.join(connection, message.room);
        break;
      case 'leave':
        this.#rooms.leave(connection, message.room);
        break;
      case 'say':
        this.#rooms.say(connection, message.room, message.text);
        break;
      case 'heavy-feed':
        this.#heavyFeed.start(connection);
        break;
      case 'invite':
        connection.send(this.#guests.invite(message.kind));
        break;
      case 'restart':
        this.#restart();
        break;
      case 'throw':
        throw new Error(`${connection.peer.name} asked this handler to throw`);
      case 'noop':
        break;
    }
  }
}
