import { withBeat } from '../../core/beat.ts';
import { isThenable } from '../../core/guard.ts';
import type { DialTarget } from '../../transport/transport.ts';

/** A value, or a function that returns the value for each attempt, or a promise of it. */
export type Resolvable<Value> = Value | (() => Value | PromiseLike<Value>);

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
  readonly subprotocols: readonly string[];
  /** Whether the beat is offered. */
  readonly beat: boolean;
}

/** Makes the route of a client. */
export function routeTo({ url, subprotocols, beat }: Directions): Route {
  const offered = beat ? withBeat(subprotocols) : subprotocols;
  return typeof url === 'function'
    ? new RenewedRoute(url, offered)
    : new FixedRoute(destination(url, offered));
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
  readonly #url: () => string | URL | PromiseLike<string | URL>;
  readonly #subprotocols: readonly string[];

  constructor(
    url: () => string | URL | PromiseLike<string | URL>,
    subprotocols: readonly string[],
  ) {
    this.#url = url;
    this.#subprotocols = subprotocols;
  }

  get isRenewed(): boolean {
    return true;
  }

  target(): Destination | Promise<Destination> {
    const url = this.#url();
    if (!isThenable(url)) return destination(url, this.#subprotocols);
    return Promise.resolve(url).then((known) => destination(known, this.#subprotocols));
  }
}

function destination(url: string | URL, subprotocols: readonly string[]): Destination {
  const text = String(url);
  const { host: address, pathname: path } = URL.canParse(text) ? new URL(text) : nowhere;
  return { url: text, subprotocols, address, path };
}

const nowhere = { host: '', pathname: '' };

/** The host and the port of a URL, without its credentials. */
export function addressIn(url: string): string {
  return URL.canParse(url) ? new URL(url).host : '';
}
