import { parseArgs } from 'node:util';

const DEFAULT_PORT = 8080;

/** The help text. */
export const usage = `Usage: server.js [--port N]

  --port N   the port to listen on, 0 to 65535; 0 picks a free one (default ${DEFAULT_PORT})
  --help     print this help`;

/** The options of the command line. */
export type Options = { readonly port: number } | { readonly help: true };

/** The command line is invalid. The message is for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function readArguments(args: string[]): Options {
  const { port, help } = parsed(args);
  if (help === true) return { help };
  return { port: port === undefined ? DEFAULT_PORT : checkedPort(port) };
}

function parsed(args: string[]) {
  try {
    const options = { port: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function checkedPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new UsageError(`--port must be a whole number from 0 to 65535, not '${text}'`);
}
