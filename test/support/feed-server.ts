import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** What a server does with one connection. The returned function runs when the connection has ended. */
export type Feed = (peer: FeedPeer) => (() => void) | undefined;

/** One connection of a feed server. */
export interface FeedPeer {
  readonly socket: WebSocket;
  /** The number of the connection, from 1 on. */
  readonly number: number;
  /** Calls back with the text of each message. */
  heard(hear: (text: string) => void): void;
}

/** A server of plain ws, like the services that clients dial. */
export class FeedServer {
  /** Every message that has arrived, as text. */
  readonly messages: string[] = [];
  /** How each connection ended: code and reason. */
  readonly closed: string[] = [];
  readonly sockets: WebSocket[] = [];
  readonly #http: Server;
  readonly #server: WebSocketServer;

  private constructor(http: Server, feed: Feed) {
    this.#http = http;
    this.#server = new WebSocketServer({ server: http });
    this.#server.on('connection', (socket) => this.#accept(socket, feed));
  }

  /** @param onRequest - answers plain requests, for the files of a page. */
  static async start(feed: Feed, onRequest?: RequestListener): Promise<FeedServer> {
    const http = createServer(onRequest);
    const server = new FeedServer(http, feed);
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    return server;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }

  #accept(socket: WebSocket, feed: Feed): void {
    const listeners: ((text: string) => void)[] = [];
    const number = this.sockets.push(socket);
    socket.on('error', () => {});
    socket.on('message', (data) => {
      this.messages.push(String(data));
      for (const hear of listeners) hear(String(data));
    });
    const ended = feed({ socket, number, heard: (hear) => void listeners.push(hear) });
    socket.on('close', (code, reason) => {
      this.closed.push(`${code} ${reason}`.trim());
      ended?.();
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.terminate();
    this.#server.close();
    this.#http.close();
    this.#http.closeAllConnections();
    await once(this.#http, 'close');
  }
}

/** Sends a price every few milliseconds. Returns a function that stops it. */
export function busy(socket: WebSocket): () => void {
  let price = 0;
  const timer = setInterval(() => {
    price += 1;
    socket.send(JSON.stringify({ price }));
  }, 5);
  return () => clearInterval(timer);
}

/** Like the feed of Bitget: ends a client that sends nothing for a while, however busy the feed is. */
export function bitget(silentMs: number): Feed {
  return ({ socket, heard }) => {
    const stop = busy(socket);
    let heardAtMs = performance.now();
    const timer = setInterval(() => {
      if (performance.now() - heardAtMs > silentMs) socket.close(1000, 'no ping');
    }, 20);
    heard((text) => {
      heardAtMs = performance.now();
      if (text === 'ping') socket.send('pong');
    });
    return () => {
      stop();
      clearInterval(timer);
    };
  };
}

/** Like the socket of Phoenix: messages are JSON lists, and each heartbeat gets an answer with its ref. */
export const phoenix: Feed = ({ socket, heard }) => {
  heard((text) => {
    const [joinRef, ref, topic] = JSON.parse(text);
    socket.send(JSON.stringify([joinRef, ref, topic, 'phx_reply', { status: 'ok', response: {} }]));
  });
  return undefined;
};

/** Like Pusher: the server pings with a message, and ends a client that does not answer. */
export function pusher(everyMs: number, graceMs: number): Feed {
  return ({ socket, heard }) => {
    let isDue = false;
    const judge = () => {
      if (isDue) socket.close(4201, 'pong reply not received');
      isDue = false;
    };
    const ping = () => {
      socket.send(JSON.stringify({ event: 'pusher:ping', data: {} }));
      isDue = true;
      setTimeout(judge, graceMs);
    };
    const timer = setInterval(() => isDue || ping(), everyMs);
    heard((text) => {
      if (text.includes('pusher:pong')) isDue = false;
    });
    return () => clearInterval(timer);
  };
}

/** Answers the pings of the protocol, as ws does by itself, and sends nothing: the application hangs. */
export const hung: Feed = () => undefined;
