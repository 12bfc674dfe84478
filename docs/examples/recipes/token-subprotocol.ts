import { createSupervisor, Refusal } from 'mooring';
import { type Client, createClient } from 'mooring/client';

interface User {
  readonly userId: string;
}

/** Verifies a token, for example as a JWT or by a look-up in a database. */
export type Verify = (token: string, signal: AbortSignal) => Promise<User | undefined>;

export function tokenService(verify: Verify) {
  return createSupervisor({
    // The server answers with this name, never with the token.
    subprotocols: ['access_token'],
    async authenticate({ headers }, { signal }) {
      // Sec-WebSocket-Protocol: access_token, eyJhbGciOiJIUzI1NiJ9.e30.Et9HFtf9R3GEMA0IICOfFMVXY7kkTX1wr4qCyhIf58U
      const offered =
        headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? [];
      const [name, token] = offered;
      if (name !== 'access_token' || token === undefined) throw new Refusal(401, 'send a token');
      const user = await verify(token, signal);
      if (user === undefined) throw new Refusal(401, 'sign in again', { close: true });
      return user;
    },
    onOpen(connection) {
      connection.send({ hello: connection.peer.userId });
    },
  });
}

/** Works in a page and in Node.js. Asks for a token before each attempt. */
export function tokenClient(url: string, freshToken: () => Promise<string>): Client {
  return createClient(url, {
    subprotocols: async () => ['access_token', await freshToken()],
  });
}
