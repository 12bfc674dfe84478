import { createClient, type Ending } from '../../../src/client/index.ts';
import {
  type Dialed,
  HEARTBEAT_MS,
  type Log,
  RECONNECT_MS,
  type Subject,
  TIMEOUT_MS,
} from '../subject.ts';
import { attachWs } from './web-socket-events.ts';

export const mooring: Subject = {
  name: 'mooring',
  setup:
    `\`timeouts.handshakeMs\` and \`closeMs\` of ${TIMEOUT_MS} ms, \`heartbeat.intervalMs\` and \`graceMs\` of ` +
    `${HEARTBEAT_MS} ms, \`backoff\` of ${RECONNECT_MS / 1_000} s, and \`random\` always 1, because the delay would ` +
    'otherwise be random.',
  endings: ['endings$'],
  attach: attachWs,
  dial,
};

function dial(url: string, log: Log): Dialed {
  const client = createClient(url, {
    timeouts: { handshakeMs: TIMEOUT_MS, closeMs: TIMEOUT_MS },
    heartbeat: { intervalMs: HEARTBEAT_MS, graceMs: HEARTBEAT_MS },
    backoff: { minMs: RECONNECT_MS, maxMs: RECONNECT_MS },
    random: () => 1,
  });
  client.status$.subscribe(({ state }) => log('status$', state));
  client.endings$.subscribe((ending) => log('endings$', endingText(ending)));
  client.events$.subscribe(({ type }) => log('events$', type));
  return {
    isOpen: () => client.status.state === 'up',
    send: async (text) => client.send(text),
    close: () => void client.close(),
  };
}

function endingText(ending: Ending): string {
  if (ending.outcome === 'closed') {
    const { cause, code } = ending.verdict;
    return `closed: ${cause} ${code}`;
  }
  const { cause, httpStatus = '' } = ending.failure;
  return `failed: ${cause} ${httpStatus}`;
}
