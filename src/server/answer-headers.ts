import type { AnswerHeaders } from '../core/failure.ts';
import { invalidOptions, isOptions, problemAt } from '../core/option-rules.ts';

/** RFC 9110 §5.6.2. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5, with the bytes above ASCII that Node.js lets through as well. */
const VALUE = /^[\t -~\u0080-\u00ff]*$/;

/**
 * Checks the headers of an answer before they can reach the wire: a line break in one would begin another header.
 *
 * @returns a copy that nobody can write to: what is written into the original later has not been checked.
 * @throws MooringError `invalid-options`, naming the header.
 */
export function checkedHeaders(headers: unknown): AnswerHeaders {
  // A `Headers` or a `Map` can be iterated over and has no properties: it would be taken for no headers at all.
  if (!isOptions(headers) || Symbol.iterator in headers) {
    throw invalidOptions([
      problemAt({ headers }, ['headers'], 'must be an object of header values'),
    ]);
  }
  const entries = Object.entries(headers).map(([name, value]) => [name, frozen(value)] as const);
  const copy = Object.freeze(Object.fromEntries(entries));
  for (const [name, value] of entries) checkHeader(copy, name, value);
  return copy as AnswerHeaders;
}

function frozen(value: unknown): unknown {
  return Array.isArray(value) ? Object.freeze([...value]) : value;
}

function checkHeader(headers: object, name: string, value: unknown): void {
  if (!NAME.test(name))
    throw wrong(headers, [], `${JSON.stringify(name)} is not a valid header name`);
  if (!Array.isArray(value)) {
    checkValue(headers, [name], value);
    return;
  }
  value.forEach((line, index) => {
    checkValue(headers, [name, index], line);
  });
}

function checkValue(headers: object, path: readonly PropertyKey[], value: unknown): void {
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw wrong(headers, path, 'must be a string, a number or a list of them');
  }
  if (!VALUE.test(String(value))) throw wrong(headers, path, 'is not a valid header value');
}

function wrong(headers: object, path: readonly PropertyKey[], problem: string): Error {
  return invalidOptions([problemAt({ headers }, ['headers', ...path], problem)]);
}
