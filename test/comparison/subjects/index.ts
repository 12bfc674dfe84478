import type { Subject } from '../subject.ts';
import { mooring } from './mooring.ts';
import { partysocket } from './partysocket.ts';
import { reconnectingWebsocket } from './reconnecting-websocket.ts';
import { socketIoClient } from './socket-io-client.ts';
import { ws } from './ws.ts';

/** All libraries, in the order of the tables. */
export const subjects: readonly Subject[] = [
  ws,
  reconnectingWebsocket,
  partysocket,
  socketIoClient,
  mooring,
];
