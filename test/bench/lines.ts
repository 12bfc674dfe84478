import { createInterface } from 'node:readline';

/** Orders by name. Each has at most one argument, and argument and result are JSON. */
export type Orders<O> = { [K in keyof O]: (argument: never) => unknown };

/** One order on its way to a child. */
export interface OrderLine {
  readonly name: string;
  readonly argument?: unknown;
}

/** The result of an order. */
export type AnswerLine = { readonly result: unknown } | { readonly error: string };

/**
 * Carries out orders that arrive as lines of JSON, and answers each with a line.
 *
 * The process ends with its input, so no child outlives its parent.
 */
export function carryOut<O extends Orders<O>>(orders: O): void {
  const known = orders as unknown as Record<string, (argument: unknown) => unknown>;
  const input = createInterface({ input: process.stdin });
  input.on('close', () => process.exit());
  input.on('line', (line) => {
    const { name, argument } = JSON.parse(line) as OrderLine;
    void answer(() => known[name]?.(argument));
  });
}

async function answer(work: () => unknown): Promise<void> {
  let line: AnswerLine;
  try {
    line = { result: (await work()) ?? null };
  } catch (thrown) {
    line = { error: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
