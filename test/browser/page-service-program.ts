/** The program of a `PageService`: the lifecycle page and the server that it dials, on a port that it reports. */
import { createSupervisor, listen } from '../../src/index.ts';
import { servePages } from './client-page.ts';
import { lifecyclePages } from './lifecycle-page.ts';
import type { PageCensus, PageOrder } from './page-service.ts';

const { heartbeat, port: wanted } = JSON.parse(process.argv[2] ?? '') as PageOrder;
const closed: string[] = [];

const supervisor = createSupervisor({
  heartbeat,
  onClose: (_connection, { cause, code }) => closed.push(`${cause} ${code}`),
});
const { port } = await listen(supervisor, {
  ...{ port: wanted, path: '/ws', onRequest: servePages(lifecyclePages) },
});

function report(): void {
  const census: PageCensus = { port, open: supervisor.counts.open, closed };
  process.send?.(census);
}

report();
process.on('message', report);
process.on('disconnect', () => process.exit());
