import { invalidOptions, isOptions, problemAt } from './option-rules.ts';

/**
 * Checks that a value can be the options of a call, for calls where it is easy to pass another value in their place.
 *
 * @param call - as written, for example `attach(server, supervisor, options)`.
 * @param example - the most common options, for example `{ path: '/ws' }`.
 * @throws MooringError `invalid-options` that shows how to write the call.
 */
export function checkOptions(value: unknown, call: string, example: string): void {
  if (isOptions(value)) return;
  const problem = problemAt(value, [], 'must be an object').replace('options:', 'options');
  throw invalidOptions([`${call}: ${problem}; write ${example}`]);
}
