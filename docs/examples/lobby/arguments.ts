import { parseArgs } from 'node:util';

const DEFAULT_PORT = 8080;

/** How to call the server. */
export const usage = `Usage: server.js [--port N]

  --port N   where to listen, 0 to 65535; 0 takes any free port (default ${DEFAULT_PORT})
  --help     this text`;

/** What the command line asks for. */
export type Wish = { readonly port: number } | { readonly help: true };

/** The command line makes no sense; the message is for the person who typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws UsageError */
export function readArguments(args: string[]): Wish {
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
