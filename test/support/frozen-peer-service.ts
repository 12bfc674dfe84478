/** The program of a `FrozenService`: a supervisor with the given heartbeat, on a port that it reports. */
import { createSupervisor, type HeartbeatOptions, listen } from '../../src/index.ts';
import type { ServiceCensus } from './frozen-peer.ts';

const heartbeat = JSON.parse(process.argv[2] ?? '') as HeartbeatOptions;
const causes: string[] = [];
let suspects = 0;

const supervisor = createSupervisor({
  heartbeat,
  onClose: (_connection, { cause }) => causes.push(cause),
});
supervisor.events$.subscribe(({ type }) => {
  if (type === 'connection.suspect') suspects += 1;
});
const { port } = await listen(supervisor, { path: '/ws' });

function report(): void {
  const census: ServiceCensus = { port, open: supervisor.counts.open, causes, suspects };
  process.send?.(census);
}

report();
process.on('message', report);
process.on('disconnect', () => process.exit());
