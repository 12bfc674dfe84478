import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Report, Rule } from '../../core/option-rules.ts';

/** Headers of an upgrade request. */
export type Headers = Readonly<Record<string, string>>;

const none: Headers = Object.freeze({});

/** Refuses headers that Node.js would refuse in every attempt. */
export const headersRule: Rule<Headers> = (given = none, report) => {
  if (isObject(given)) for (const header of Object.entries(given)) checkHeader(header, report);
  else report('must be an object of strings, or a function');
  return given as Headers;
};

/** An iterable, such as a `Headers` of the web or a `Map`, would pass as an object without headers. */
function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(Symbol.iterator in value);
}

function checkHeader([name, value]: readonly [string, unknown], report: Report): void {
  if (!passes(() => validateHeaderName(name))) report('is not a valid header name', name);
  else if (typeof value !== 'string') report('must be a string', name);
  // ws would refuse the answer to these headers, because it has not requested what they request.
  else if (/^sec-websocket-protocol$/i.test(name))
    report('cannot be set here; use options.subprotocols', name);
  else if (/^sec-websocket-/i.test(name)) report('cannot be set; the handshake sets it', name);
  else if (!passes(() => validateHeaderValue(name, value))) {
    report('has a character that is not allowed in a header', name);
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
