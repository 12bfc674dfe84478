import { setTimeout as delay } from 'node:timers/promises';
import { type Bus, createSupervisor } from 'mooring';
import { authenticate } from './authenticate.ts';
import {
  type Inbound,
  inbound,
  isRoom,
  type LobbyConnection,
  type LobbySupervisor,
  outbound,
  reply,
  request,
  roomNames,
  type WorkerIdentity,
} from './contract.ts';
import type { Guests } from './guests.ts';
import { HeavyFeed } from './heavy-feed.ts';
import { History } from './history.ts';
import { Monitor } from './monitor.ts';
import { Rooms } from './rooms.ts';

const SLOW_WELCOME_MS = 3_000;

/** Limits and timeouts for a demo: far below the defaults, so that you see each consequence within seconds. */
const demoOptions = {
  admission: { connectionsMax: 240, connectionsPerAddressMax: 120, acceptsPerSecondMax: 100 },
  timeouts: {
    stalledMs: 4_000,
    closeMs: 2_000,
    welcomeMs: 6_000,
    handshakeMs: 5_000,
    appendMs: 4_000,
  },
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

/** What a lobby is made of. */
export interface LobbyParts {
  /** The process that it runs in. */
  readonly worker: WorkerIdentity;
  /** Connects it with the other workers, if there are any. */
  readonly bus: Bus | undefined;
  readonly guests: Guests;
  /** When its state began. */
  readonly startedAt: number;
  /** Stops this lobby and starts another one on the same port. */
  readonly restart: () => void;
}

/** Chat rooms for browser tabs, with a live table of all connections and guests that misbehave. */
export class Lobby {
  readonly supervisor: LobbySupervisor;
  readonly #parts: LobbyParts;
  readonly #rooms: Rooms;
  readonly #monitor: Monitor;
  readonly #heavyFeed: HeavyFeed;

  constructor(parts: LobbyParts) {
    this.supervisor = createSupervisor({
      bus: parts.bus,
      durable: isRoom,
      messages: inbound,
      sends: outbound,
      requests: request,
      replies: reply,
      authenticate,
      key: ({ name }) => name,
      onOpen: (connection) => this.#connectionOpened(connection),
      onMessage: (connection, message) => this.#messageReceived(connection, message),
      onRequest: (connection, { room }) => this.#rooms.latest(connection, room),
      onClose: (connection, verdict) => this.#rooms.closed(connection, verdict),
      ...demoOptions,
    });
    const { supervisor } = this;
    const { worker, guests } = parts;
    const history = new History(supervisor, worker.id);
    this.#parts = parts;
    this.#rooms = new Rooms(supervisor, history);
    this.#heavyFeed = new HeavyFeed(supervisor);
    this.#monitor = new Monitor({ supervisor, worker, rooms: this.#rooms, history, guests });
  }

  /** Another worker has ended. */
  workerGone(id: string): void {
    this.#monitor.gone(id);
  }

  /** Until this settles, messages of the peer are not delivered, but none is lost. */
  async #connectionOpened(connection: LobbyConnection): Promise<void> {
    if (connection.peer.guest === 'wait') await delay(SLOW_WELCOME_MS, undefined, { ref: false });
    connection.send({
      type: 'welcome',
      id: connection.id,
      name: connection.peer.name,
      rooms: [...roomNames],
      serverStartedAt: this.#parts.startedAt,
      at: Date.now(),
      worker: this.#parts.worker,
    });
  }

  #messageReceived(connection: LobbyConnection, message: Inbound): Promise<void> | undefined {
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
        return this.#rooms.say(connection, message.room, message);
      case 'heavy-feed':
        this.#heavyFeed.start(connection);
        break;
      case 'invite':
        connection.send(this.#parts.guests.invite(message.kind));
        break;
      case 'restart':
        this.#parts.restart();
        break;
      case 'throw':
        throw new Error(`${connection.peer.name} asked this handler to throw`);
      case 'noop':
        break;
    }
    return undefined;
  }
}
