import type { Port } from '../connection/port.ts';
import type { PortReport } from '../connection/port-host.ts';
import type { ConnectionIdentity } from '../core/connection.ts';
import type { SupervisorNews } from '../core/events.ts';
import { classifyClose, type Origin } from '../core/verdict.ts';

/** Makes the news of a port's report. */
export function describeReport<C extends ConnectionIdentity>(
  report: PortReport,
  port: Port,
  connection: C,
): SupervisorNews<C> | undefined {
  switch (report) {
    case 'closing':
      return { type: 'connection.closing', connection, ...closingOf(port) };
    case 'errored': {
      const { cause, error } = classifyClose(port.witness.evidence);
      return { type: 'connection.errored', connection, cause, ...(error && { error }) };
    }
    case 'closed':
      return port.verdict && { type: 'connection.closed', connection, verdict: port.verdict };
    case 'failed':
      return port.failure && { type: 'connection.failed', id: port.id, failure: port.failure };
    default:
      return { type: `connection.${report}`, connection };
  }
}

function closingOf({ closeFrame, witness }: Port): {
  origin: Origin;
  code: number;
  reason: string;
} {
  const { intent, received, taken } = witness.evidence;
  const { code, reason } = closeFrame ?? { code: 1006, reason: '' };
  const remote = received === undefined ? 'network' : 'peer';
  const isLocal = intent !== undefined || taken !== undefined;
  return { origin: isLocal ? 'local' : remote, code, reason };
}
