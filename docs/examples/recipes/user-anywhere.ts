import type { IncomingMessage } from 'node:http';
import { type Bus, type Connection, createSupervisor, Refusal } from 'mooring';

export interface Session {
  readonly id: string;
  readonly userId: string;
}

/** Your sessions, in a store that all processes share. */
export interface Sessions {
  find(request: IncomingMessage): Promise<Session | undefined>;
  isValid(session: Session): Promise<boolean>;
  endAll(userId: string): Promise<void>;
}

const UNAUTHORIZED = 3000;

export function userService(sessions: Sessions, bus: Bus) {
  const supervisor = createSupervisor({
    bus,
    async authenticate(request) {
      const session = await sessions.find(request);
      if (session === undefined) throw new Refusal(401, 'sign in first');
      return session;
    },
    key: ({ userId }) => userId,
    async onOpen(connection) {
      // The user may have signed out since `authenticate` ran.
      await check(connection);
      connection.join(`user/${connection.peer.userId}`);
    },
  });

  // During an outage of the bus, this process does not hear who signs out in another one.
  supervisor.events$.subscribe(({ type }) => {
    if (type !== 'bus.up') return;
    for (const connection of supervisor.connections)
      check(connection).catch((error) => connection.fail(error));
  });

  async function check(connection: Connection<Session>): Promise<void> {
    const isValid = await sessions.isValid(connection.peer);
    if (!isValid) connection.close(UNAUTHORIZED, 'signed out');
  }

  /** Sends a message to every connection of a user, in every process. */
  function send(userId: string, message: unknown) {
    return supervisor.topic(`user/${userId}`).publish(message);
  }

  /** Signs a user out on all devices. */
  async function signOut(userId: string): Promise<void> {
    await sessions.endAll(userId);
    supervisor.closeKey(userId, UNAUTHORIZED, 'signed out');
  }

  return { supervisor, send, signOut };
}
