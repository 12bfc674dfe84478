import cluster from 'node:cluster';
import { type LobbyOptions, readArguments, UsageError, usage } from './arguments.ts';
import { checkJetStream, NatsServerError } from './nats-server.ts';
import { pageRequests } from './page-files.ts';
import { Primary, type Tally, WorkerError } from './primary.ts';
import { Service } from './service.ts';
import { work } from './worker.ts';

try {
  await (cluster.isPrimary ? run() : work());
} catch (error) {
  console.error(errorText(error));
  process.exit(1);
}

async function run(): Promise<void> {
  const options = readArguments(process.argv.slice(2));
  if ('help' in options) {
    console.log(usage);
    return;
  }
  if (options.nats !== undefined) await checkJetStream(options.nats);
  await (options.workers === 1 ? serve(options) : serveWithWorkers(options));
}

async function serve({ port, nats }: LobbyOptions): Promise<void> {
  if (nats !== undefined) console.log(`The lobby shares the nats-server at ${nats}`);
  const service = await Service.open({ onRequest: await pageRequests(), port, nats });
  serving(await service.url(), () => service.stop());
}

async function serveWithWorkers(options: LobbyOptions): Promise<void> {
  const primary = await Primary.start(options);
  serving(primary.url, () => primary.stop());
}

function serving(url: string, stop: () => Promise<Tally>): void {
  console.log(`The lobby is running at ${url} (press Ctrl+C to stop it)`);

  onFirstSignal(async (signal) => {
    const startedAt = performance.now();
    console.log(`${signal}: draining, every connection is closed with 1001`);
    const { closed, forced } = await stop();
    const tookMs = Math.round(performance.now() - startedAt);
    console.log(`The lobby stopped after ${tookMs} ms: ${closed} closed, ${forced} terminated`);
    process.exit(0);
  });
}

/** The first signal drains. A second signal exits at once. */
function onFirstSignal(stop: (signal: NodeJS.Signals) => Promise<void>): void {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const signalled = (signal: NodeJS.Signals) => {
    for (const name of signals) process.off(name, signalled).once(name, () => process.exit(1));
    void stop(signal);
  };
  for (const name of signals) process.on(name, signalled);
}

/** One sentence for errors that the user can fix, the stack for all others. */
function errorText(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${usage}`;
  if (error instanceof NatsServerError || error instanceof WorkerError) return error.message;
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') return `Port ${port} is in use; choose another one with --port N`;
  if (code === 'EACCES') return `Port ${port} is reserved; choose one above 1023 with --port N`;
  return error.stack ?? error.message;
}
