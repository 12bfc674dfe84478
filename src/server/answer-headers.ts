import { SupervisorError } from '../core/errors.ts';
import type { AnswerHeaders } from '../core/failure.ts';
import { kindOf } from '../core/wording.ts';

/** RFC 9110 §5.6.2. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5, with the bytes above ASCII that Node.js lets through as well. */
const VALUE = /^[\t -~\u0080-\u00ff]*$/;

/**
 * Checks the headers of an answer before they can reach the wire: a line break in one would begin another header.
 *
 * @param owner - the function that was given them; it begins the message of the error.
 * @throws SupervisorError `invalid-options`, naming the header.
 */
export function checkedHeaders(owner: string, headers: unknown): AnswerHeaders {
  // A `Headers` or a `Map` can be iterated over and has no properties: it would be taken for no headers at all.
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) {
    throw invalid(
      `${owner}: headers must be a plain object of header values, not ${kindOf(headers)}`,
    );
  }
  for (const [name, value] of Object.entries(headers)) checkHeader(owner, name, value);
  // A copy: what is written into them later has not been checked.
  return structuredClone(headers) as AnswerHeaders;
}

function checkHeader(owner: string, name: string, value: unknown): void {
  const argument = `${owner}: headers[${JSON.stringify(name)}]`;
  if (!NAME.test(name)) throw invalid(`${argument} is not a valid header name`);
  for (const line of Array.isArray(value) ? value : [value]) {
    const isText = typeof line === 'string' || typeof line === 'number';
    if (!isText) {
      throw invalid(
        `${argument} must be a string, a number or a list of them, not ${kindOf(line)}`,
      );
    }
    if (!VALUE.test(String(line))) throw invalid(`${argument} is not a valid header value`);
  }
}

/** An argument that cannot work. */
export function invalid(message: string): SupervisorError {
  return new SupervisorError('invalid-options', message);
}
