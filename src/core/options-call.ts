import { invalidOptions, isOptions, problemAt } from './option-rules.ts';

/**
 * Checks that the options of a call can be options at all, for calls where another value in their place is an easy mistake.
 *
 * @param call - as it is written, for example `attach(server, supervisor, options)`.
 * @param example - options as they are written most often, for example `{ path: '/ws' }`.
 * @throws MooringError `invalid-options` that shows how to write the call.
 */
export function checkOptions(value: unknown, call: string, example: string): void {
  if (isOptions(value)) return;
  const problem = problemAt(value, [], 'must be an object').replace('options:', 'options');
  throw invalidOptions([`${call}: ${problem}; write ${example}`]);
}
