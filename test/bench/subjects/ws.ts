import { createServer } from 'node:http';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { Memberships, Setup } from '../orders.ts';
import { topicsOf } from './memberships.ts';
import { Echo, type Subject } from './subject.ts';
import { TEXT } from './text.ts';

/** ws as its README uses it, with the error listener that the README requires. */
export function ws(setup: Setup): Subject {
  const server = createServer();
  const sockets = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false });
  const topics = topicsFor(sockets, setup);
  let received = 0;
  const publish = (text: string) => {
    for (const topic of topics) broadcast(topic, `"${text}"`);
  };
  const answer = handler(setup, { answer: () => publish(TEXT), count: () => (received += 1) });
  sockets.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => answer(socket, data));
  });
  if (setup.heartbeatMs) keepAlive(sockets, setup.heartbeatMs);
  const size = () => sockets.clients.size;
  return { server, open: size, present: size, publish, received: () => received };
}

function topicsFor(
  sockets: WebSocketServer,
  { memberships, membersMax }: Setup,
): readonly ReadonlySet<WebSocket>[] {
  if (membersMax !== undefined) return [firstOnes(sockets, membersMax)];
  return memberships ? topicSets(sockets, memberships) : [sockets.clients];
}

function firstOnes(sockets: WebSocketServer, count: number): ReadonlySet<WebSocket> {
  const members = new Set<WebSocket>();
  sockets.on('connection', (socket) => {
    if (members.size < count) members.add(socket);
    socket.on('close', () => members.delete(socket));
  });
  return members;
}

/** A set of sockets for each topic. */
function topicSets(sockets: WebSocketServer, memberships: Memberships): readonly Set<WebSocket>[] {
  const topics = Array.from({ length: memberships.topics }, () => new Set<WebSocket>());
  let opened = 0;
  sockets.on('connection', (socket) => {
    const joined = topicsOf(opened, memberships).flatMap((topic) => topics[topic] ?? []);
    for (const topic of joined) topic.add(socket);
    socket.on('close', () => {
      for (const topic of joined) topic.delete(socket);
    });
    opened += 1;
  });
  return topics;
}

/** Server broadcast, as in the README. */
function broadcast(sockets: ReadonlySet<WebSocket>, message: string): void {
  for (const socket of sockets) {
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
  }
}

function handler(
  setup: Setup,
  { answer, count }: { answer(): void; count(): void },
): (socket: WebSocket, data: RawData) => void {
  switch (setup.handler ?? 'ignore') {
    case 'ignore':
      return () => {};
    case 'count':
      return (_socket, data) => {
        JSON.parse(data.toString());
        count();
      };
    case 'echo':
      return setup.isChecked ? echoChecked : echo;
    case 'answer':
      return (_socket, data) => {
        JSON.parse(data.toString());
        answer();
      };
  }
}

function echo(socket: WebSocket, data: RawData): void {
  const message: unknown = JSON.parse(data.toString());
  socket.send(JSON.stringify(message));
}

function echoChecked(socket: WebSocket, data: RawData): void {
  const message = Echo.safeParse(JSON.parse(data.toString()));
  if (message.success) socket.send(JSON.stringify(message.data));
}

interface Living extends WebSocket {
  isAlive?: boolean;
}

function heard(this: Living): void {
  this.isAlive = true;
}

/** How to detect and close broken connections, as in the README. */
function keepAlive(sockets: WebSocketServer, intervalMs: number): void {
  sockets.on('connection', (socket: Living) => {
    socket.isAlive = true;
    socket.on('pong', heard);
  });
  setInterval(() => {
    for (const socket of sockets.clients as Set<Living>) pingOrTerminate(socket);
  }, intervalMs);
}

function pingOrTerminate(socket: Living): void {
  if (socket.isAlive === false) {
    socket.terminate();
    return;
  }
  socket.isAlive = false;
  socket.ping();
}
