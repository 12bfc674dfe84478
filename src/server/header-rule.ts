import type { IncomingMessage } from 'node:http';
import { guarded, type HandlerName, isThenable } from '../core/guard.ts';
import type { Report, Rule } from '../core/option-rules.ts';
import { anyOf, kindOf, wordSuggestion } from '../core/wording.ts';

/** Whether a request with this value of a header may connect. */
export type HeaderRule = (value: string, request: IncomingMessage) => boolean;

/** Asks a rule of the application; what throws, or answers with anything but `true`, lets nobody in. */
export type Ask = (handler: HandlerName, call: () => unknown) => boolean;

/** Asks behind a guard. */
export function askWith(report: (handler: HandlerName, error: Error) => void): Ask {
  return (handler, call) =>
    guarded(
      () => checkedAnswer(handler, call()),
      (error) => report(handler, error),
    ) === true;
}

/** A promise would count as `true` wherever it is merely looked at. */
function checkedAnswer(handler: HandlerName, answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer;
  if (isThenable(answer)) answer.then(undefined, () => {});
  throw new TypeError(`${handler} must return a boolean, not ${kindOf(answer)}`);
}

/** What somebody meant who passed one text: one of the words, or a list of it. */
function hintFor(value: unknown, words: readonly string[]): string {
  if (typeof value !== 'string' || value === '') return '';
  return wordSuggestion(value, words) || '; put it into a list';
}

/** Checks such a rule as an option: one of these words, a function, or a list of which no entry has a fault. */
export function headerRule<Value>(
  usual: Value,
  words: readonly string[],
  faultOf: (entry: string) => string | undefined,
): Rule<Value> {
  const expected = anyOf([...words.map((word) => `'${word}'`), 'a list', 'a function']);
  const faultIn = (entry: unknown) => {
    const isText = typeof entry === 'string' && entry !== '';
    return isText ? faultOf(entry) : `must be text, not ${kindOf(entry)}`;
  };
  return (given = usual, report) => {
    if (Array.isArray(given)) return checkedList(given, faultIn, report) as Value;
    const isKnown =
      given === usual || typeof given === 'function' || words.includes(given as string);
    if (!isKnown) report(`must be ${expected}, not ${kindOf(given)}${hintFor(given, words)}`);
    return given as Value;
  };
}

function checkedList(
  given: readonly unknown[],
  faultIn: (entry: unknown) => string | undefined,
  report: Report,
): readonly unknown[] {
  for (const [index, entry] of given.entries()) {
    const fault = faultIn(entry);
    if (fault !== undefined) report(fault, index);
  }
  return given;
}
