import type { IncomingMessage } from 'node:http';
import { type Bus, createSupervisor, Refusal } from 'mooring';
import type { Client } from 'mooring/client';

/** The close code of a connection that a newer one has replaced. */
const REPLACED = 4409;

export function onePerUser(userOf: (request: IncomingMessage) => string | undefined, bus?: Bus) {
  return createSupervisor({
    bus,
    authenticate(request) {
      const userId = userOf(request);
      if (userId === undefined) throw new Refusal(401, 'sign in first');
      return { userId };
    },
    key: ({ userId }) => userId,
    sameKey: 'newest',
  });
}

/** Calls `tell` when the user has signed in elsewhere. Offer them `client.dialNow()`, which takes the connection back. */
export function whenReplaced(client: Client, tell: () => void): void {
  client.endings$.subscribe((ending) => {
    if (ending.outcome === 'closed' && ending.verdict.code === REPLACED) tell();
  });
}
