import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { guarded, type HandlerName, isThenable } from '../core/guard.ts';
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
export function headerRule(
  words: readonly string[],
  faultOf: (entry: string) => string | undefined,
): z.ZodType {
  const expected = anyOf([...words.map((word) => `'${word}'`), 'a list', 'a function']);
  return z.unknown().superRefine((value, context) => {
    if (typeof value === 'function' || words.some((word) => word === value)) return;
    if (!Array.isArray(value)) {
      const message = `must be ${expected}, not ${kindOf(value)}${hintFor(value, words)}`;
      context.addIssue({ code: 'custom', message });
      return;
    }
    value.forEach((entry: unknown, index) => {
      const isText = typeof entry === 'string' && entry !== '';
      const fault = isText ? faultOf(entry) : `must be text, not ${kindOf(entry)}`;
      if (fault !== undefined) {
        context.addIssue({ code: 'custom', path: [index], message: fault });
      }
    });
  });
}
