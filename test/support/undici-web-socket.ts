import { after, before } from 'node:test';
import { WebSocket as UndiciWebSocket } from 'undici';

const page = globalThis as { WebSocket?: unknown };

/**
 * Makes the entry for pages dial with undici's WebSocket, which follows the same standard, in the tests of a
 * file.
 */
export function useUndiciWebSocket(): void {
  const native = page.WebSocket;
  before(() => {
    page.WebSocket = UndiciWebSocket;
  });
  after(() => {
    page.WebSocket = native;
  });
}
