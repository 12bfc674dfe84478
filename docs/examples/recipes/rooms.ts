import type { IncomingMessage } from 'node:http';
import { type Connection, createSupervisor, Refusal } from 'mooring';
import { z } from 'zod';

const room = z.string().min(1).max(64);
const user = z.string();

const Inbound = z.object({ type: z.enum(['join', 'leave']), room });
const Outbound = z.discriminatedUnion('type', [
  z.object({ type: z.literal('here'), room, users: z.array(user) }),
  z.object({ type: z.enum(['came', 'left']), room, user }),
]);

interface Peer {
  readonly userId: string;
}
type Member = Connection<Peer, z.infer<typeof Inbound>, z.infer<typeof Outbound>>;

export function roomsService(userOf: (request: IncomingMessage) => string | undefined) {
  const supervisor = createSupervisor({
    messages: Inbound,
    sends: Outbound,
    limits: { topicsMax: 50 },
    authenticate(request) {
      const userId = userOf(request);
      if (userId === undefined) throw new Refusal(401, 'sign in first');
      return { userId };
    },
    onMessage(connection, { type, room }) {
      if (type === 'join') join(connection, room);
      else if (connection.leave(room)) left(connection, room);
    },
    onClose(connection) {
      // The connection has left its topics. `topics` still lists them.
      for (const room of connection.topics) left(connection, room);
    },
  });

  /** Lists the users in a room. A user with several connections is listed once. */
  function usersIn(room: string): string[] {
    const members: Iterable<Member> = supervisor.topic(room).connections;
    return [...new Set(Array.from(members, ({ peer }) => peer.userId))];
  }

  function join(connection: Member, room: string): void {
    const { userId } = connection.peer;
    const isNew = !usersIn(room).includes(userId);
    if (!connection.join(room)) return;
    connection.send({ type: 'here', room, users: usersIn(room) });
    const came = { type: 'came', room, user: userId } as const;
    if (isNew) supervisor.topic(room).publish(came, { except: connection });
  }

  /** Publishes `left` when the last connection of a user has left the room. */
  function left({ peer }: Member, room: string): void {
    if (usersIn(room).includes(peer.userId)) return;
    supervisor.topic(room).publish({ type: 'left', room, user: peer.userId });
  }

  return supervisor;
}
