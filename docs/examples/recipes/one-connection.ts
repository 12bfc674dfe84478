import type { IncomingMessage } from 'node:http';
import { createSupervisor, Refusal } from 'mooring';
import { type Client, createClient, type NodeClientOptions } from 'mooring/client';

const SIGNED_IN_ELSEWHERE = 4001;

export function onePerUser(userOf: (request: IncomingMessage) => string | undefined) {
  const supervisor = createSupervisor({
    authenticate(request) {
      const userId = userOf(request);
      if (userId === undefined) throw new Refusal(401, 'sign in first');
      return { userId };
    },
    key: ({ userId }) => userId,
    onOpen(connection) {
      for (const other of supervisor.byKey(connection.peer.userId)) {
        if (other !== connection) other.close(SIGNED_IN_ELSEWHERE, 'signed in elsewhere');
      }
    },
  });
  return supervisor;
}

/** Creates a client that gives way to a newer one. Call `dialNow()` when its user wants the connection back. */
export function politeClient(url: string, options: NodeClientOptions = {}): Client {
  return createClient(url, {
    ...options,
    privateCodes: (code) => (code === SIGNED_IN_ELSEWHERE ? 'never' : 'backoff'),
  });
}
