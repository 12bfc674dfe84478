import type { CloseVerdict } from 'mooring';
import {
  type Line,
  type LobbyConnection,
  type LobbySupervisor,
  type RoomName,
  roomNames,
} from './contract.ts';
import type { History } from './history.ts';

/** The chat rooms. A connection that joins gets the latest lines. */
export class Rooms {
  readonly #supervisor: LobbySupervisor;
  readonly #history: History;

  constructor(supervisor: LobbySupervisor, history: History) {
    this.#supervisor = supervisor;
    this.#history = history;
  }

  join(connection: LobbyConnection, room: RoomName): void {
    if (connection.topics.includes(room)) return;
    connection.send({ type: 'joined', room, lines: this.#history.linesOf(room) });
    if (connection.join(room)) this.#add(room, lineOf('joined', connection));
  }

  leave(connection: LobbyConnection, room: RoomName): void {
    if (!connection.leave(room)) return;
    connection.send({ type: 'left', room });
    this.#add(room, lineOf('left', connection, 'left the room'));
  }

  say(connection: LobbyConnection, room: RoomName, text: string): void {
    if (connection.topics.includes(room)) {
      this.#add(room, lineOf('message', connection, text));
    } else {
      const text = `Join ${room} before you send a message to it.`;
      connection.send({ type: 'notice', level: 'warn', text });
    }
  }

  /**
   * Adds the cause to every room that the connection was in.
   *
   * When `onClose` runs, the connection is no longer a member of its topics, but `connection.topics` still names them.
   */
  closed(connection: LobbyConnection, { cause }: CloseVerdict): void {
    for (const room of roomNames) {
      if (connection.topics.includes(room)) this.#add(room, lineOf('left', connection, cause));
    }
  }

  /** The members in this process. */
  memberCounts(): Record<RoomName, number> {
    const sizes = roomNames.map((room) => [room, this.#supervisor.topic(room).size] as const);
    return Object.fromEntries(sizes) as Record<RoomName, number>;
  }

  #add(room: RoomName, line: Line): void {
    this.#supervisor.topic(room).publish({ type: 'line', room, line });
  }
}

function lineOf(kind: Line['kind'], { id, peer }: LobbyConnection, text = ''): Line {
  return { kind, id, name: peer.name, text, at: Date.now() };
}
