import type { CloseVerdict } from '../../../src/index.ts';
import {
  type Line,
  type LobbySupervisor,
  type Member,
  type RoomName,
  roomNames,
} from './contract.ts';

const LINES_KEPT_MAX = 40;

/** The conversations: who is where, and the last lines of each room for whoever comes in. */
export class Rooms {
  readonly #supervisor: LobbySupervisor;
  readonly #lines = new Map<RoomName, Line[]>(roomNames.map((room) => [room, []]));
  /** A connection has left its topics before its close handler runs, so the rooms are noted here as well. */
  readonly #stays = new WeakMap<Member, Set<RoomName>>();

  constructor(supervisor: LobbySupervisor) {
    this.#supervisor = supervisor;
  }

  join(member: Member, room: RoomName): void {
    const stays = this.#staysOf(member);
    if (stays.has(room)) return;
    member.send({ type: 'joined', room, lines: this.#linesOf(room) });
    if (!member.join(room)) return;
    stays.add(room);
    this.#tell(room, lineOf('came', member));
  }

  leave(member: Member, room: RoomName): void {
    if (!member.leave(room)) return;
    this.#staysOf(member).delete(room);
    member.send({ type: 'left', room });
    this.#tell(room, lineOf('went', member, 'left the room'));
  }

  say(member: Member, room: RoomName, text: string): void {
    if (this.#staysOf(member).has(room)) {
      this.#tell(room, lineOf('said', member, text));
    } else {
      member.send({ type: 'notice', level: 'warn', text: `Join ${room} before you talk in it.` });
    }
  }

  /** Tells every room a member was in that it is gone, and why. */
  lose(member: Member, verdict: CloseVerdict): void {
    for (const room of this.#staysOf(member))
      this.#tell(room, lineOf('went', member, verdict.cause));
  }

  members(): Record<RoomName, number> {
    const sizes = roomNames.map((room) => [room, this.#supervisor.topic(room).size] as const);
    return Object.fromEntries(sizes) as Record<RoomName, number>;
  }

  #tell(room: RoomName, line: Line): void {
    const lines = this.#linesOf(room);
    lines.push(line);
    if (lines.length > LINES_KEPT_MAX) lines.shift();
    this.#supervisor.topic(room).publish({ type: 'line', room, line });
  }

  #linesOf(room: RoomName): Line[] {
    return this.#lines.get(room) ?? [];
  }

  #staysOf(member: Member): Set<RoomName> {
    const known = this.#stays.get(member);
    if (known !== undefined) return known;
    const stays = new Set<RoomName>();
    this.#stays.set(member, stays);
    return stays;
  }
}

function lineOf(kind: Line['kind'], { id, peer }: Member, text = ''): Line {
  return { kind, id, name: peer.name, text, at: Date.now() };
}
