import { admitted, createSupervisor, Refusal } from 'mooring';
import { type Client, createClient } from 'mooring/client';
import { catchError, EMPTY, switchMap, timer } from 'rxjs';
import { z } from 'zod';

interface Token {
  readonly userId: string;
  readonly expiresAt: number;
}

const Renewal = z.object({ type: z.literal('token'), token: z.string() });
const Session = z.object({ type: z.literal('session'), expiresInMs: z.number() });

export function renewalService(verify: (token: string) => Promise<Token | undefined>) {
  return createSupervisor({
    messages: Renewal,
    sends: Session,
    async authenticate({ headers }) {
      const [, bearer = ''] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? [];
      const token = await verify(bearer);
      if (token === undefined) throw new Refusal(401, 'send a token');
      return admitted(token, { expiresInMs: leftOf(token) });
    },
    onOpen(connection) {
      connection.send({ type: 'session', expiresInMs: leftOf(connection.peer) });
    },
    async onMessage(connection, message) {
      const token = await verify(message.token);
      if (token?.userId !== connection.peer.userId) {
        // An exception here would close the connection with 1011, as an error of this service.
        connection.close(3000, 'token refused');
        return;
      }
      connection.renew(token, { expiresInMs: leftOf(token) });
      connection.send({ type: 'session', expiresInMs: leftOf(token) });
    },
  });
}

const leftOf = (token: Token) => token.expiresAt - Date.now();

/** Renews the session after half of its time. If that fails, the session expires, and the client dials again. */
export function renewingClient(url: string, freshToken: () => Promise<string>): Client {
  const client = createClient(url, {
    messages: Session,
    sends: Renewal,
    headers: async () => ({ authorization: `Bearer ${await freshToken()}` }),
  });
  client.messages$
    .pipe(
      switchMap(({ expiresInMs }) =>
        timer(expiresInMs / 2).pipe(
          switchMap(() => freshToken()),
          catchError(() => EMPTY), // no token now: the session expires, and the next attempt asks again
        ),
      ),
    )
    // Not queued: the next connection starts with its own token.
    .subscribe((token) => client.send({ type: 'token', token }, { queue: false }));
  return client;
}
