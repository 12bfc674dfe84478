import type { ConnectionReport } from '../connection/connection-host.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { ConnectionIdentity } from '../core/connection.ts';
import type { UntimedEvent } from '../core/events.ts';
import { classifyClose } from '../core/verdict.ts';

/** Makes the event of a connection's report. */
export function describeReport<C extends ConnectionIdentity>(
  report: ConnectionReport,
  connection: ManagedConnection,
  handle: C,
): UntimedEvent<C> | undefined {
  switch (report) {
    case 'closing':
      return { type: 'connection.closing', connection: handle, ...connection.record.closing };
    case 'errored': {
      const { cause, error } = classifyClose(connection.record.evidence);
      return { type: 'connection.errored', connection: handle, cause, ...(error && { error }) };
    }
    case 'closed':
      return (
        connection.verdict && {
          type: 'connection.closed',
          connection: handle,
          verdict: connection.verdict,
        }
      );
    case 'failed':
      return (
        connection.failure && {
          type: 'connection.failed',
          id: connection.id,
          failure: connection.failure,
        }
      );
    default:
      return { type: `connection.${report}`, connection: handle };
  }
}
