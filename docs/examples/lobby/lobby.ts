import { setTimeout as delay } from 'node:timers/promises';
import { type CloseVerdict, createSupervisor } from '../../../src/index.ts';
import { Cargo } from './cargo.ts';
import {
  type Inbound,
  inbound,
  type LobbySupervisor,
  type Member,
  type Outbound,
  outbound,
  roomNames,
  type Sailor,
} from './contract.ts';
import { FleetFeed } from './fleet-feed.ts';
import type { GuestHouse } from './guest-house.ts';
import { Rooms } from './rooms.ts';
import { signOn } from './sign-on.ts';

const SLOW_WELCOME_MS = 3_000;

/** Far below what a service would choose: whoever watches wants to see each consequence within seconds. */
const impatience = {
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

/** Several tabs that talk in rooms and watch each other come, misbehave and go. */
export class Lobby {
  readonly supervisor: LobbySupervisor;
  readonly #guests: GuestHouse;
  readonly #rooms: Rooms;
  readonly #fleet: FleetFeed;
  readonly #cargo: Cargo;
  readonly #restart: () => void;
  readonly #startedAt = Date.now();

  /** @param restart - ends this lobby, and opens another one at its address. */
  constructor(guests: GuestHouse, restart: () => void) {
    this.supervisor = createSupervisor<Sailor, Inbound, Outbound>({
      messages: inbound,
      sends: outbound,
      authenticate: signOn,
      key: ({ name }) => name,
      onOpen: (member) => this.#memberOpened(member),
      onMessage: (member, message) => this.#memberSpoke(member, message),
      onClose: (member, verdict) => this.#memberClosed(member, verdict),
      ...impatience,
    });
    this.#guests = guests;
    this.#restart = restart;
    this.#rooms = new Rooms(this.supervisor);
    this.#cargo = new Cargo(this.supervisor);
    this.#fleet = new FleetFeed({ supervisor: this.supervisor, rooms: this.#rooms, guests });
  }

  /** While this is pending nothing that the member says is delivered, and nothing of it is lost. */
  async #memberOpened(member: Member): Promise<void> {
    if (member.peer.guest === 'wait') await delay(SLOW_WELCOME_MS, undefined, { ref: false });
    const { id, peer } = member;
    const serverStartedAt = this.#startedAt;
    member.send({ type: 'welcome', id, name: peer.name, rooms: [...roomNames], serverStartedAt });
  }

  #memberClosed(member: Member, verdict: CloseVerdict): void {
    this.#rooms.lose(member, verdict);
  }

  #memberSpoke(member: Member, message: Inbound): void {
    switch (message.type) {
      case 'watch':
        this.#fleet.show(member);
        break;
      case 'join':
        this.#rooms.join(member, message.room);
        break;
      case 'leave':
        this.#rooms.leave(member, message.room);
        break;
      case 'say':
        this.#rooms.say(member, message.room, message.text);
        break;
      case 'haul':
        this.#cargo.haul(member);
        break;
      case 'invite':
        member.send(this.#guests.invite(message.kind));
        break;
      case 'restart':
        this.#restart();
        break;
      case 'trip':
        throw new Error(`${member.peer.name} tripped this handler on purpose`);
      case 'noise':
        break;
    }
  }
}
