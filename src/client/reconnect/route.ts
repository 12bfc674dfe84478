import { withBeat } from '../../core/beat.ts';
import { isThenable } from '../../core/guard.ts';
import type { DialTarget } from '../../transport/transport.ts';

/** A value, or a function that returns the value for each attempt, or a promise of it. */
export type Resolvable<Value> = Value | (() => Value | PromiseLike<Value>);

/** Headers of an upgrade request. */
export type Headers = Readonly<Record<string, string>>;

/** Where one attempt goes. */
export interface Destination extends DialTarget {
  /** The host and the port, without credentials. Empty if the URL is invalid; then the attempt fails. */
  readonly address: string;
  readonly path: string;
}

/** Says where each attempt of a client goes. */
export interface Route {
  /** Whether the next attempt may bring other credentials, so that a retry after a 401 makes sense. */
  readonly isRenewed: boolean;
  /** Returns where the attempt that begins now goes. May throw or reject. */
  target(): Destination | Promise<Destination>;
}

/** The options from which a route is made. */
export interface Directions {
  readonly url: Resolvable<string | URL>;
  readonly headers: Resolvable<Headers>;
  readonly subprotocols: readonly string[];
  /** Whether the beat is offered. */
  readonly beat: boolean;
}

/** Makes the route of a client. */
export function routeTo({ url, headers, subprotocols, beat }: Directions): Route {
  const offered = beat ? withBeat(subprotocols) : subprotocols;
  return typeof url === 'function' || typeof headers === 'function'
    ? new RenewedRoute({ url, headers, subprotocols: offered, beat })
    : new FixedRoute(destination(url, headers, offered));
}

/** A route with one destination. In Node.js, clients of one peer share it. */
export class FixedRoute implements Route {
  readonly destination: Destination;

  constructor(fixed: Destination) {
    this.destination = fixed;
  }

  get isRenewed(): boolean {
    return false;
  }

  target(): Destination {
    return this.destination;
  }
}

class RenewedRoute implements Route {
  readonly #directions: Directions;

  constructor(directions: Directions) {
    this.#directions = directions;
  }

  get isRenewed(): boolean {
    return true;
  }

  target(): Destination | Promise<Destination> {
    const { url, headers, subprotocols } = this.#directions;
    const given = [
      typeof url === 'function' ? url() : url,
      typeof headers === 'function' ? headers() : headers,
    ] as const;
    const [there, fields] = given;
    if (!isThenable(there) && !isThenable(fields)) return destination(there, fields, subprotocols);
    return Promise.all(given).then((known) => destination(...known, subprotocols));
  }
}

function destination(
  url: string | URL,
  headers: Headers,
  subprotocols: readonly string[],
): Destination {
  if (!areHeaders(headers)) throw new TypeError('headers must be an object of strings');
  const text = String(url);
  const { host: address, pathname: path } = URL.canParse(text) ? new URL(text) : nowhere;
  return { url: text, headers, subprotocols, address, path };
}

const nowhere = { host: '', pathname: '' };

/** Refuses a web `Headers` and a `Map`, which have no properties of their own and would count as no headers. */
export function areHeaders(value: unknown): value is Headers {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) return false;
  return Object.values(value).every((header) => typeof header === 'string');
}

/** The host and the port of a URL, without its credentials. */
export function addressIn(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
