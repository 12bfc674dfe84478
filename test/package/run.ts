import { execFile } from 'node:child_process';

/** How a program ended, and what it wrote. */
export interface Run {
  readonly status: number | string | undefined;
  readonly output: string;
}

/** Runs a program to its end. Output on standard error counts only when it fails. */
export function run(file: string, args: readonly string[], cwd: string): Promise<Run> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error === null) resolve({ status: 0, output: stdout });
      else resolve({ status: error.code ?? error.signal ?? 'killed', output: stdout + stderr });
    });
  });
}
