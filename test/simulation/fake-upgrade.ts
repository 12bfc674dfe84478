import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { agreedSubprotocol } from '../../src/core/subprotocol.ts';
import type { UpgradeRequest, UpgradeResult } from '../../src/server/inbound-connection.ts';
import type { Upgrade } from '../../src/transport/upgrade.ts';
import type { FakeSocket } from './fake-socket.ts';
import { FakeWebSocket } from './fake-web-socket.ts';
import type { SimulatedClock } from './simulated-clock.ts';

/** The variable parts of a fake upgrade request. */
export interface FakeRequest {
  method?: string;
  url?: string;
  httpVersion?: string;
  headers?: Readonly<Record<string, string | undefined>>;
}

const HEADERS = {
  host: 'service.example',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

const NO_HEAD = Buffer.alloc(0);

/** The arguments of an `upgrade` event: a valid request over a fake socket, except for the given fields. */
export function fakeUpgrade(socket: FakeSocket, request: FakeRequest = {}): Upgrade {
  const { method = 'GET', url = '/', httpVersion = '1.1' } = request;
  const headers = request.headers === undefined ? HEADERS : { ...HEADERS, ...request.headers };
  return {
    request: { method, url, httpVersion, headers, socket } as unknown as IncomingMessage,
    socket: socket as unknown as Socket,
    head: NO_HEAD,
  };
}

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\n\r\n';

/** Makes WebSockets of fake sockets, under the conditions of ws for real ones. */
export class FakeUpgrader {
  /** Whether the upgrade of this socket throws: a fault of the transport itself. */
  throwsFor: (socket: FakeSocket) => boolean = () => false;
  /** Called for every WebSocket that was made. */
  made: (socket: FakeWebSocket) => void = () => {};

  readonly #clock: SimulatedClock;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  complete({ request, socket }: UpgradeRequest): UpgradeResult {
    const raw = socket as unknown as FakeSocket;
    if (this.throwsFor(raw)) throw new Error('the transport broke');
    if (request.headers['sec-websocket-extensions'] === 'broken') {
      return { cause: 'bad-request', status: 400, body: 'invalid extensions' };
    }
    if (!raw.readable || !raw.writable) {
      raw.tearDown();
      return null;
    }
    if (raw.reader !== null) return new Error('upgraded already');
    raw.write(SWITCHING);
    const offered = request.headers['sec-websocket-protocol']?.split(',') ?? [];
    const agreed = agreedSubprotocol(new Set(offered), []);
    const made = new FakeWebSocket(raw, this.#clock, agreed === false ? '' : agreed);
    this.made(made);
    return made;
  }
}
