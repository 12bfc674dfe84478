import { io } from 'socket.io-client';
import { createClient } from '../../../src/client/index.ts';

/** A client of a crowd whose server is killed. */
export interface Survivor {
  isOpen(): boolean;
  /** Whether it was told that it has missed nothing. */
  readonly isRecovered: boolean;
  readonly heard: ReadonlySet<string>;
  /** Messages that came again. */
  readonly doubled: number;
}

class Tally {
  isRecovered = false;
  readonly heard = new Set<string>();
  doubled = 0;

  hear(text: string): void {
    if (this.heard.has(text)) this.doubled += 1;
    this.heard.add(text);
  }
}

/** A client of Mooring with its defaults. */
export function mooring(url: string): Survivor {
  const tally = new Tally();
  const client = createClient(`${url.replace('http', 'ws')}/ws`, { mooring: true });
  client.messages$.subscribe((text) => tally.hear(String(text)));
  client.recoveries$.subscribe(({ cause }) => {
    tally.isRecovered = cause === 'resumed';
  });
  return Object.assign(tally, { isOpen: () => client.status.state === 'up' });
}

/** A client of Socket.IO with its defaults, but without the detour over HTTP polling. */
export function socketIo(url: string): Survivor {
  const tally = new Tally();
  const socket = io(url, { transports: ['websocket'], forceNew: true });
  socket.on('m', (text: string) => tally.hear(text));
  socket.on('connect', () => {
    tally.isRecovered = socket.recovered;
  });
  return Object.assign(tally, { isOpen: () => socket.connected });
}
