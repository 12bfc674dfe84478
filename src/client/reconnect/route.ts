import { toError } from '../../core/errors.ts';
import { ignoreRejection, isThenable } from '../../core/guard.ts';
import { invalidOptions, type Rules, resolved } from '../../core/option-rules.ts';
import { withMooring } from '../../core/subprotocol.ts';
import { kindOf } from '../../core/wording.ts';
import type { DialTarget } from '../../transport/transport.ts';

/** A value, or a function that returns the value for each attempt, or a promise of it. */
export type Resolvable<Value> = Value | (() => Value | PromiseLike<Value>);

/** Where one attempt goes. */
export interface Destination extends DialTarget {
  /** The host and the port, without credentials. */
  readonly address: string;
  readonly path: string;
}

/** Determines where each attempt of a client goes. */
export interface Route {
  /** The URL, as far as it is known before the first attempt; empty if a function returns it. */
  readonly url: string;
  /** Whether the next attempt may bring other credentials, so that a retry after a 401 makes sense. */
  readonly isRenewed: boolean;
  /** Returns where the attempt that begins now goes. May throw or reject. */
  target(): Destination | Promise<Destination>;
}

/** Where a client dials, as the application has set it. Each part may be a function that is called for each attempt. */
export interface Directions {
  readonly url: Resolvable<string | URL>;
  readonly subprotocols: Resolvable<readonly string[]>;
  /** Whether the subprotocol of Mooring is offered. */
  readonly mooring: boolean;
}

/** The parts of one attempt. In Node.js there are more, which become parts of the destination unchanged. */
interface Parts {
  readonly url: string | URL;
  readonly subprotocols: readonly string[];
}

/** How a platform reads directions. */
export interface Addressing {
  /** The rules for the results of functions. Fixed parts are already checked. */
  readonly rules: Rules;
  /** Returns the URL to dial; `null` if it cannot be dialed. May throw an error with the reason. */
  urlOf(text: string): string | null;
}

/**
 * Makes the route of a client.
 *
 * @throws MooringError `invalid-options` for a fixed URL that cannot be dialed.
 */
export function routeBy(addressing: Addressing, { mooring, ...parts }: Directions): Route {
  const destinationOf = ({ url, subprotocols, ...others }: Parts): Destination => {
    const dialed = dialable(addressing, url);
    const offered = mooring ? withMooring(subprotocols) : subprotocols;
    return { url: dialed, subprotocols: offered, ...others, ...placeIn(dialed) };
  };
  if (!Object.values(parts).some(isFunction)) return new FixedRoute(destinationOf(parts as Parts));
  // Checked now, because a fixed URL that is wrong can never become right.
  const url = isFunction(parts.url) ? '' : dialable(addressing, parts.url);
  return new RenewedRoute(url, addressing.rules, parts, destinationOf);
}

/** A route with one destination. In Node.js, clients of one peer share it. */
export class FixedRoute implements Route {
  readonly isRenewed = false;
  readonly destination: Destination;

  constructor(fixed: Destination) {
    this.destination = fixed;
  }

  get url(): string {
    return this.destination.url;
  }

  target(): Destination {
    return this.destination;
  }
}

/** A route that calls all functions for each attempt, without waiting for one before the next. */
class RenewedRoute implements Route {
  readonly url: string;
  readonly isRenewed = true;
  readonly #rules: Rules;
  readonly #parts: readonly (readonly [name: string, part: unknown])[];
  readonly #destinationOf: (parts: Parts) => Destination;

  constructor(
    url: string,
    rules: Rules,
    parts: object,
    destinationOf: (parts: Parts) => Destination,
  ) {
    this.url = url;
    this.#rules = rules;
    this.#parts = Object.entries(parts);
    this.#destinationOf = destinationOf;
  }

  target(): Destination | Promise<Destination> {
    const values = this.#ask();
    if (!values.some(isThenable)) return this.#destination(values);
    return Promise.all(values).then((known) => this.#destination(known));
  }

  /** If one function throws, promises of the others are ignored. */
  #ask(): unknown[] {
    const values: unknown[] = [];
    try {
      for (const [name, part] of this.#parts) values.push(answerOf(name, part));
      return values;
    } catch (thrown) {
      values.forEach(ignoreRejection);
      throw thrown;
    }
  }

  #destination(values: readonly unknown[]): Destination {
    const parts = this.#parts.map(([name, part], index) => {
      const value = values[index];
      return [name, isFunction(part) ? this.#checked(name, value) : value];
    });
    return this.#destinationOf(Object.fromEntries(parts));
  }

  /** @throws MooringError `invalid-options`, with the option whose function returned an unusable value. */
  #checked(name: string, value: unknown): unknown {
    if (value === undefined || value === null)
      throw invalidOptions([`options.${name}: its function returned nothing`]);
    const rule = this.#rules[name];
    // The URL has no rule: text that is not a URL cannot be dialed.
    if (rule !== undefined) return resolved({ [name]: value }, { [name]: rule })[name];
    if (typeof value === 'string' || value instanceof URL) return value;
    throw invalidOptions([`options.${name}: its function must return a URL, not ${kindOf(value)}`]);
  }
}

/** Returns a part, or the result of its function. An error of the function gets the name of its option. */
function answerOf(name: string, part: unknown): unknown {
  if (!isFunction(part)) return part;
  const fail = (thrown: unknown): never => {
    const error = toError(thrown);
    throw new Error(`options.${name}: its function threw ${error}`, { cause: error });
  };
  try {
    const answer: unknown = part();
    return isThenable(answer) ? Promise.resolve(answer).then(undefined, fail) : answer;
  } catch (thrown) {
    return fail(thrown);
  }
}

function isFunction(part: unknown): part is () => unknown {
  return typeof part === 'function';
}

/** @throws MooringError `invalid-options` for a URL that cannot be dialed. */
function dialable({ urlOf }: Addressing, text: string | URL): string {
  const url = urlOf(String(text));
  if (url === null) throw invalidOptions(['url: must be the URL of a WebSocket']);
  return url;
}

/** The host and the port of a URL, without its credentials. */
export function addressIn(url: string): string {
  return placeIn(url).address;
}

/** Without `URL.canParse`: React Native has none, and its older versions have no `host` either. */
function placeIn(url: string): Pick<Destination, 'address' | 'path'> {
  try {
    const { host: address, pathname: path } = new URL(url);
    return { address, path };
  } catch {
    return { address: '', path: '' };
  }
}
