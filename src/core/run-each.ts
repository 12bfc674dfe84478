import { toError } from './errors.ts';

/**
 * Calls `run` for each item. A call that throws does not cost the other items their turn.
 *
 * @throws what a call threw, after the last one; an `AggregateError` when several threw.
 */
export function runEach<Item extends NonNullable<unknown>>(
  items: readonly Item[],
  run: (item: Item) => void,
): void {
  let index = 0;
  runAll(() => items[index++], run);
}

/**
 * Calls `run` for each item that `next` takes, until it has none. A call that throws does not end the loop.
 *
 * @throws what a call threw, after the last one; an `AggregateError` when several threw.
 */
export function runAll<Item extends NonNullable<unknown>>(
  next: () => Item | undefined,
  run: (item: Item) => void,
): void {
  const thrown: unknown[] = [];
  for (let item = next(); item !== undefined; item = next()) {
    try {
      run(item);
    } catch (error) {
      thrown.push(error);
    }
  }
  if (thrown.length > 0) throw oneErrorOf(thrown);
}

function oneErrorOf(thrown: readonly unknown[]): unknown {
  const [first] = thrown;
  if (thrown.length === 1) return first;
  const message = `${thrown.length} errors, the first of them: ${toError(first).message}`;
  return new AggregateError(thrown, message);
}
