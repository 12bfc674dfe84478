import { randomUUID } from 'node:crypto';
import { type Appended, type CloseVerdict, RequestRefusal } from 'mooring';
import {
  type Line,
  type LobbyConnection,
  type LobbySupervisor,
  type Reply,
  type RoomName,
  roomNames,
} from './contract.ts';
import type { History } from './history.ts';

/** The chat rooms. They are durable topics: a member that was away gets what it has missed. */
export class Rooms {
  readonly #supervisor: LobbySupervisor;
  readonly #history: History;

  constructor(supervisor: LobbySupervisor, history: History) {
    this.#supervisor = supervisor;
    this.#history = history;
  }

  join(connection: LobbyConnection, room: RoomName): void {
    if (connection.join(room)) void this.#add(room, lineOf('joined', connection));
  }

  leave(connection: LobbyConnection, room: RoomName): void {
    if (connection.leave(room)) void this.#add(room, lineOf('left', connection, 'left the room'));
  }

  /** A tab that does not know whether a line has arrived sends it again, with the same id. */
  async say(
    connection: LobbyConnection,
    room: RoomName,
    { id, text }: { readonly id?: string | undefined; readonly text: string },
  ): Promise<void> {
    if (connection.topics.includes(room)) {
      const appended = await this.#add(room, lineOf('message', connection, text, id));
      if (appended.outcome === 'unconfirmed')
        connection.send({ type: 'unconfirmed', id: appended.id });
    } else {
      const text = `Join ${room} before you send a message to it.`;
      connection.send({ type: 'notice', level: 'warn', text });
    }
  }

  /** The latest lines, for a member that is new or has missed some for good. @throws RequestRefusal */
  async latest(connection: LobbyConnection, room: RoomName): Promise<Reply> {
    if (connection.topics.includes(room)) return { lines: await this.#history.linesOf(room) };
    throw new RequestRefusal('not-a-member', `Join ${room} before you ask for its messages.`);
  }

  /**
   * Adds the cause to every room that the connection was in.
   *
   * When `onClose` runs, the connection is no longer a member of its topics, but `connection.topics` still names them.
   */
  closed(connection: LobbyConnection, { cause }: CloseVerdict): void {
    for (const room of roomNames) {
      if (connection.topics.includes(room)) void this.#add(room, lineOf('left', connection, cause));
    }
  }

  /** The members in this process. */
  memberCounts(): Record<RoomName, number> {
    const sizes = roomNames.map((room) => [room, this.#supervisor.topic(room).size] as const);
    return Object.fromEntries(sizes) as Record<RoomName, number>;
  }

  /** Keeps a line, and sends it to all members, in every process. */
  #add(room: RoomName, line: Line): Promise<Appended> {
    return this.#supervisor.topic(room).append({ type: 'line', room, line }, { id: line.id });
  }
}

function lineOf(
  kind: Line['kind'],
  { id: from, peer }: LobbyConnection,
  text = '',
  id: string = randomUUID(),
): Line {
  return { kind, id, from, name: peer.name, text, at: Date.now() };
}
