import type { IncomingMessage } from 'node:http';
import { excerptOf } from '../core/text.ts';
import { warnOnce } from '../core/warnings.ts';
import { addressIn, isLoopback } from './address.ts';
import { hostOf, isLocalOrAddress } from './hosts.ts';

/**
 * Warns of a page that reaches this machine from within, under a name that is not of this machine.
 *
 * Its site may have pointed a name of its own at 127.0.0.1, past every firewall, and then has the same origin (DNS
 * rebinding). Where a proxy of this machine passes Host on, it is a name that the service has in public.
 */
export function warnOfRebinding({ headers, socket }: IncomingMessage): void {
  const host = hostOf(headers.host ?? '');
  if (host === undefined || isLocalOrAddress(host)) return;
  if (!isLoopback(addressIn(socket.localAddress ?? ''))) return;
  warnOnce(
    'MOORING_DNS_REBINDING',
    `a page connected to a loopback address under the name ${excerptOf(host.name)}. Set admission.hosts to the names that you ` +
      'serve: without it, a foreign site that points its own name at this machine has the same origin (DNS rebinding)',
  );
}
