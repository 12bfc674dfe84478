import type { FaultLink } from '../../src/testing/fault-link.ts';
import { nobody, type Place, roguePlace, soundPeer } from './places.ts';
import type { Dialed, Subject } from './subject.ts';

/** What is available when it is time to act. */
export interface Scene {
  readonly dialed: Dialed;
  readonly link: () => FaultLink;
  /** Sends the message of the situation. Without a call, it follows later. */
  send(): void;
}

/** A situation in which something goes wrong, the same for every library. */
export interface Situation {
  readonly name: string;
  /** The description for the page. */
  readonly about: string;
  prepare(subject: Subject): Promise<Place>;
  /** What to do once the situation has come that far. */
  readonly step?: { readonly when: 'connecting' | 'open'; act(scene: Scene): void };
}

const soundPeerOf = ({ attach }: Subject) => soundPeer(attach);

export const situations: readonly Situation[] = [
  {
    name: 'Refused',
    about: 'Nothing listens on the port.',
    prepare: nobody,
  },
  {
    name: 'Timeout',
    about: 'The peer accepts the TCP connection and never answers the request.',
    prepare: () => roguePlace(() => {}),
  },
  {
    name: 'Answered with 503',
    about: 'The peer answers the request with `503 Service Unavailable`.',
    prepare: () =>
      roguePlace(({ asked, socket }) =>
        asked(() => {
          socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
        }),
      ),
  },
  {
    name: 'Reset after open',
    about: 'The connection is open; then the network resets it (RST).',
    prepare: soundPeerOf,
    step: { when: 'open', act: ({ link }) => link().down.reset() },
  },
  {
    name: 'Closed without a frame',
    about: 'The connection is open; then TCP ends (FIN) without a close frame.',
    prepare: soundPeerOf,
    step: { when: 'open', act: ({ link }) => link().down.end() },
  },
  {
    name: 'Peer silent',
    about: 'The connection is open; then nothing gets through in either direction.',
    prepare: soundPeerOf,
    step: {
      when: 'open',
      act({ link }) {
        link().up.set({ blackhole: true });
        link().down.set({ blackhole: true });
      },
    },
  },
  {
    name: 'Close while connecting',
    about: 'The user closes while the client waits for the answer of the peer.',
    prepare: () => roguePlace(() => {}),
    step: { when: 'connecting', act: ({ dialed }) => dialed.close() },
  },
  {
    name: 'Send after close',
    about: 'The connection is open; the user closes it and sends in the same turn.',
    prepare: soundPeerOf,
    step: {
      when: 'open',
      act({ dialed, send }) {
        dialed.close();
        send();
      },
    },
  },
];
