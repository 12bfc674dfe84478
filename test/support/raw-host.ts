import { RawEnd } from './raw-end.ts';
import { accepting, type Script } from './rogue-server.ts';

/** The server's end of a WebSocket made of nothing but a TCP socket: the counterpart of `RawPeer`. */
export class RawHost extends RawEnd {
  /** Accepts every request and adds what has come of it to `hosts`. */
  static accepting(hosts: RawHost[]): Script {
    return accepting(({ socket }) => {
      const host = new RawHost(socket, 'server');
      socket.setNoDelay();
      socket.on('data', (chunk: Buffer) => host.read(chunk));
      hosts.push(host);
    });
  }
}
