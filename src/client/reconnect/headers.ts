import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Report, Rule } from '../../core/option-rules.ts';

/** Headers of an upgrade request. */
export type Headers = Readonly<Record<string, string>>;

const none: Headers = Object.freeze({});

/** Refuses headers that Node.js would refuse in every attempt. */
export const headersRule: Rule<Headers> = (given = none, report) => {
  if (areHeaders(given)) for (const header of Object.entries(given)) checkHeader(header, report);
  else report('must be an object of strings, or a function');
  return given as Headers;
};

/** What can be iterated over, a `Headers` of the web or a `Map`, would be taken for an object without any. */
function areHeaders(value: unknown): value is Headers {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) return false;
  return Object.values(value).every((header) => typeof header === 'string');
}

function checkHeader([name, value]: readonly [string, string], report: Report): void {
  if (!passes(() => validateHeaderName(name))) report('is no name of a header', name);
  else if (!passes(() => validateHeaderValue(name, value))) {
    report('has a character that a header may not have', name);
  }
}

function passes(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}
