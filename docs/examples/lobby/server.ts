import { readArguments, UsageError, usage } from './arguments.ts';
import { pageRequests } from './page-files.ts';
import { Service } from './service.ts';

try {
  const options = readArguments(process.argv.slice(2));
  if ('help' in options) console.log(usage);
  else await serve(options.port);
} catch (error) {
  console.error(errorText(error));
  process.exit(1);
}

async function serve(port: number): Promise<void> {
  const service = await Service.open(await pageRequests(), port);
  const url = `http://127.0.0.1:${await service.port()}/`;
  console.log(`The lobby is running at ${url} (press Ctrl+C to stop it)`);

  onFirstSignal(async (signal) => {
    console.log(`${signal}: draining, every connection is closed with 1001`);
    const { closed, forced, tookMs } = await service.stop();
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
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') return `Port ${port} is in use; choose another one with --port N`;
  if (code === 'EACCES') return `Port ${port} is reserved; choose one above 1023 with --port N`;
  return error.stack ?? error.message;
}
