// Does jobs for a service that hands them out over WebSockets, on several connections to several of its hosts:
//
//   UPSTREAMS='wss://a.example.com/jobs wss://b.example.com/jobs' SIZE=4 node upstream-worker.js
//
// The service sends `{"id":"7","numbers":[1,2,3]}`. The worker answers `{"id":"7","sum":6}` on the same connection.

import { setTimeout as delay } from 'node:timers/promises';
import { createPool, type DialedConnection } from 'mooring/client';
import { z } from 'zod';

const { UPSTREAMS = '', SIZE = '4', WORK_MS = '20' } = process.env;

const Job = z.object({ id: z.string(), numbers: z.array(z.number()) });
const Result = z.object({ id: z.string(), sum: z.number() });
type Job = z.infer<typeof Job>;
type Result = z.infer<typeof Result>;

let working = 0;

const pool = createPool(UPSTREAMS.split(' '), {
  size: Number(SIZE),
  messages: Job,
  sends: Result,
  // Each connection works on at most two jobs. Reading then pauses, so the service can give further jobs to another
  // worker.
  limits: { inFlightMax: 2 },
  onMessage: work,
});

async function work(connection: DialedConnection<Job, Result>, job: Job): Promise<void> {
  working += 1;
  console.log(`job ${job.id}`);
  await delay(Number(WORK_MS)); // a real worker does its work here
  working -= 1;
  const sum = job.numbers.reduce((total, number) => total + number, 0);
  const result = await connection.sendAndFlush({ id: job.id, sum });
  // Another connection may lead to another host, which does not know the job. The service hands it out again.
  if (result !== 'sent') console.warn(`no answer to job ${job.id}: ${result}`);
}

pool.status$.subscribe(({ state, open, size }) => console.log(`${state}: ${open} of ${size}`));
pool.endings$.subscribe((ending) => {
  if (ending.outcome === 'failed') console.warn(`failed: ${ending.failure.cause}`);
  else console.warn(`closed: ${ending.verdict.cause}`);
});

// Finishes the jobs at work, then closes the connections.
process.once('SIGTERM', async () => {
  for (const connection of pool.connections) connection.pause();
  while (working > 0) await delay(20);
  await pool.drain({ withinMs: 5_000 });
});
