import { readArguments, UsageError, usage } from './arguments.ts';
import { pageRequests } from './page-files.ts';
import { Service } from './service.ts';

try {
  const wish = readArguments(process.argv.slice(2));
  if ('help' in wish) console.log(usage);
  else await serve(wish.port);
} catch (error) {
  console.error(complaint(error));
  process.exit(1);
}

async function serve(port: number): Promise<void> {
  const service = await Service.open(await pageRequests(), port);
  const url = `http://127.0.0.1:${await service.port()}/`;
  console.log(`The lobby is open at ${url} (Ctrl+C closes it)`);

  onFirstSignal(async (signal) => {
    console.log(`${signal}: everybody is asked to leave with 1001`);
    const { closed, forced, tookMs } = await service.stop();
    console.log(`The lobby is closed: ${closed} left, ${forced} cut off, in ${tookMs} ms`);
    process.exit(0);
  });
}

/** The first signal stops in peace; whoever cannot wait for that sends a second one. */
function onFirstSignal(stop: (signal: NodeJS.Signals) => Promise<void>): void {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const signalled = (signal: NodeJS.Signals) => {
    for (const name of signals) process.off(name, signalled).once(name, () => process.exit(1));
    void stop(signal);
  };
  for (const name of signals) process.on(name, signalled);
}

/** A sentence for what a person can put right; the whole story for everything else. */
function complaint(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${usage}`;
  if (!(error instanceof Error)) return String(error);
  const { code, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') return `Port ${port} is taken; choose another one with --port N`;
  if (code === 'EACCES') return `Port ${port} is reserved; choose one above 1023 with --port N`;
  return error.stack ?? error.message;
}
