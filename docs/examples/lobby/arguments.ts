import { parseArgs } from 'node:util';

const DEFAULT_PORT = 8080;
const WORKERS_MAX = 16;

/** The help text. */
export const usage = `Usage: server.js [--port N] [--workers N] [--nats URL]

  --port N      the port to listen on, 0 to 65535; 0 picks a free one (default ${DEFAULT_PORT})
  --workers N   the number of processes that serve the port, 1 to ${WORKERS_MAX} (default 1); several share a nats-server,
                which the lobby finds or unpacks, starts, and ends
  --nats URL    the address of a nats-server that runs already, with JetStream, for example nats://127.0.0.1:4222
  --help        print this help`;

/** How to run the lobby. */
export interface LobbyOptions {
  readonly port: number;
  /** The number of processes. */
  readonly workers: number;
  /** The address of a nats-server that runs already. */
  readonly nats: string | undefined;
}

/** The options of the command line. */
export type Options = LobbyOptions | { readonly help: true };

/** The command line is invalid. The message is for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function readArguments(args: string[]): Options {
  const { port, workers, nats, help } = parsed(args);
  if (help === true) return { help };
  return {
    port: port === undefined ? DEFAULT_PORT : checkedNumber('--port', port, [0, 65_535]),
    workers: workers === undefined ? 1 : checkedNumber('--workers', workers, [1, WORKERS_MAX]),
    nats: nats === undefined ? undefined : checkedAddress(nats),
  };
}

function parsed(args: string[]) {
  try {
    const options = {
      port: { type: 'string' },
      workers: { type: 'string' },
      nats: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function checkedNumber(option: string, text: string, [min, max]: [number, number]): number {
  if (/^\d{1,5}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
  throw new UsageError(`${option} must be a whole number from ${min} to ${max}, not '${text}'`);
}

function checkedAddress(text: string): string {
  const url = text.includes('://') ? text : `nats://${text}`;
  if (/^(nats|tls):\/\/[^@/?#]+\/?$/.test(url) && URL.canParse(url)) return url;
  const example = 'nats://127.0.0.1:4222';
  throw new UsageError(
    `--nats must be the address of a nats-server, for example ${example}, not '${text}'`,
  );
}
