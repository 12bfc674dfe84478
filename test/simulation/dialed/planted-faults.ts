import type { ClientFact } from '../../../machines/client-contract.ts';
import { Demand } from '../../../src/client/demand.ts';
import { Dialer } from '../../../src/client/dialer.ts';
import { MessageHeartbeat } from '../../../src/client/message-heartbeat.ts';
import { OfflineQueue } from '../../../src/client/offline-queue.ts';
import type { OutboundConnection } from '../../../src/client/outbound-connection.ts';
import { OutboundOutbox } from '../../../src/client/outbound-outbox.ts';
import { PeerWatch } from '../../../src/client/peer-watch.ts';
import { Backoff } from '../../../src/client/reconnect/backoff.ts';
import { ReconnectPolicy } from '../../../src/client/reconnect/reconnect-policy.ts';
import { Sender } from '../../../src/client/sender.ts';
import { SilenceLimit } from '../../../src/client/silence-limit.ts';
import { SupervisedClient } from '../../../src/client/supervised-client.ts';
import { Welcome } from '../../../src/client/welcome.ts';
import { EndingRecord } from '../../../src/connection/ending-record.ts';
import { Heartbeat } from '../../../src/connection/heartbeat.ts';
import { BrowserTransport } from '../../../src/transport/browser-transport.ts';
import { both, instead, insteadOfGetter, type PlantedFault } from '../planted.ts';

/** The last connection that each dialer has opened. */
const opened = new WeakMap<object, OutboundConnection>();

/** Possible mistakes in the code of clients, and the rules that each breaks. */
export const dialedFaults: readonly PlantedFault[] = [
  {
    mistake: 'messages of a socket are forgotten when its connection ends',
    plant: instead(OutboundOutbox.prototype, 'end', function (this: OutboundOutbox) {
      this.stop();
    }),
    breaks: ['accounted-for'],
  },
  {
    mistake: 'messages of a socket are sent again',
    plant: instead(OutboundOutbox.prototype, 'send', (original, ...args) => {
      original(...args);
      return 'refused';
    }),
    breaks: ['written-once', 'accounted-for'],
  },
  {
    mistake: 'a message that could not be written is lost',
    plant: instead(OfflineQueue.prototype, 'putBack', () => {}),
    breaks: ['accounted-for', 'tells-the-truth'],
  },
  {
    mistake: 'the messages of a dropped queue are forgotten',
    plant: instead(OfflineQueue.prototype, 'clear', () => {}),
    breaks: ['accounted-for', 'tells-the-truth'],
  },
  {
    mistake: 'a dropped message is reported twice',
    plant: instead(Sender.prototype, 'dropped', (original, ...args) => {
      original(...args);
      original(...args);
    }),
    breaks: ['reported-once'],
  },
  {
    mistake: 'a page counts messages as sent that its browser still has',
    plant: insteadOfGetter(
      BrowserTransport.prototype,
      'leftBytes',
      function (this: BrowserTransport) {
        return this.bytesOut;
      },
    ),
    breaks: ['accounted-for', 'tells-the-truth'],
  },
  {
    mistake: 'a connection that has ended holds its deadline',
    plant: instead(OutboundOutbox.prototype, 'stop', () => {}),
    breaks: ['holds-no-deadline', 'accounted-for'],
  },
  {
    mistake: 'no delay is kept',
    plant: instead(ReconnectPolicy.prototype, 'delayMs', () => 0),
    breaks: ['the-asked-delay-is-kept'],
  },
  {
    mistake: 'a delay that the server requests is ignored',
    plant: instead(Backoff.prototype, 'next', () => 10),
    breaks: ['the-asked-delay-is-kept'],
  },
  {
    mistake: 'an `onOpen` that hangs is awaited without end',
    plant: instead(Welcome.prototype, 'deadlinePassed', () => {}),
    breaks: ['welcome-ends-in-time'],
  },
  {
    mistake: 'the client counts as up during `onOpen`',
    plant: instead(SupervisedClient.prototype, 'send', (original, fact: ClientFact['type']) =>
      original((fact === 'welcome.awaited' ? 'connection.opened' : fact) as never),
    ),
    breaks: ['welcome-comes-first'],
  },
  {
    mistake: 'the queue does not wait for `onOpen`',
    plant: both(
      instead(Dialer.prototype, 'watchPeer', function (this: object, original, connection) {
        opened.set(this, connection);
        return original(connection);
      }),
      insteadOfGetter(Dialer.prototype, 'outbox', function (this: object) {
        return opened.get(this)?.side.outbox ?? null;
      }),
    ),
    breaks: ['welcome-comes-first'],
  },
  {
    mistake: 'a heartbeat of the peer reaches the application',
    plant: instead(PeerWatch.prototype, 'handleHeartbeat', () => false),
    breaks: ['heartbeats-are-hidden'],
  },
  {
    mistake: 'a heartbeat by messages ignores its answers',
    plant: instead(MessageHeartbeat.prototype, 'heard', () => {}),
    breaks: ['the-living-live'],
  },
  {
    mistake: 'a heartbeat by messages judges no peer',
    plant: instead(MessageHeartbeat.prototype, 'deadlinePassed', () => {}),
    breaks: ['the-dead-are-found'],
  },
  {
    mistake: 'pings judge no peer',
    plant: instead(Heartbeat.prototype, 'deadlinePassed', () => {}),
    breaks: ['the-dead-are-found'],
  },
  {
    mistake: 'a feed that has gone silent is kept',
    plant: instead(SilenceLimit.prototype, 'deadlinePassed', () => {}),
    breaks: ['the-silent-are-found'],
  },
  {
    mistake: 'the error of a socket is forgotten',
    plant: instead(EndingRecord.prototype, 'noteSocketError', () => {}),
    breaks: ['failure-is-true'],
  },
  {
    mistake: 'an unneeded client keeps its connection',
    plant: instead(Demand.prototype, 'deadlinePassed', () => {}),
    breaks: ['hangs-up-when-idle'],
  },
  {
    mistake: 'an unneeded client dials again',
    plant: insteadOfGetter(Demand.prototype, 'isWanted', () => true),
    breaks: ['dials-when-asked'],
  },
];
