import type { DrainReport } from 'mooring';
import { pageRequests } from './page-files.ts';
import { Service } from './service.ts';

/** The environment variable that holds the task of a worker, as JSON. */
export const TASK = 'LOBBY_WORKER';

/** Guests are numbered. Those of different workers differ. */
const GUESTS_PER_WORKER = 100;

/** What the primary process wants of a worker. */
export interface WorkerTask {
  /** 1 for the first worker. A worker that replaces another one has its number. */
  readonly number: number;
  readonly id: string;
  readonly port: number;
  readonly nats: string;
  readonly startedAt: number;
}

/** What the primary process tells a worker. */
export type WorkerOrder =
  | { readonly type: 'stop' }
  /** The worker with this id has ended. */
  | { readonly type: 'gone'; readonly id: string };

/** What a worker tells the primary process: it has drained, and ends. */
export interface WorkerReport {
  readonly stopped: DrainReport;
}

/**
 * Serves the lobby in a worker of `node:cluster`.
 *
 * It ends when the primary process asks for it, after SIGTERM, when a tab restarts it, and when the primary process is gone,
 * which `node:cluster` sees to.
 */
export async function work(): Promise<void> {
  const task = JSON.parse(process.env[TASK] ?? '{}') as WorkerTask;
  const { number, id, port, nats, startedAt } = task;
  // A terminal sends it to every process. The primary process decides.
  process.on('SIGINT', () => {});
  const service = await Service.open({
    onRequest: await pageRequests(),
    port,
    nats,
    worker: {
      identity: { id, name: nameOf(number), pid: process.pid },
      guestsBefore: (number - 1) * GUESTS_PER_WORKER,
      startedAt,
      restart: () => void stop(),
    },
  });
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    const report: WorkerReport = { stopped: await service.stop() };
    process.send?.(report, () => process.exit(0));
  };
  process.on('SIGTERM', () => void stop());
  process.on('message', (order: WorkerOrder) => {
    if (order.type === 'stop') void stop();
    else void service.workerGone(order.id);
  });
}

export function nameOf(number: number): string {
  return `worker ${number}`;
}
