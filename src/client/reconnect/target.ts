import { withBeat } from '../../core/beat.ts';
import { isThenable } from '../../core/guard.ts';
import type { DialTarget } from '../../transport/transport.ts';

/** A value, or a function that tells it anew for each attempt, at once or later. */
export type Resolvable<Value> = Value | (() => Value | PromiseLike<Value>);

/** Headers of an upgrade request. */
export type Headers = Readonly<Record<string, string>>;

/** Where the attempts of a client go. */
export interface Route {
  /** Whether a 401 may be another answer next time. */
  readonly isRenewed: boolean;
  /** Tells where the attempt that begins now goes. May throw or reject. */
  target(): DialTarget | Promise<DialTarget>;
}

/** What a route is made of. */
export interface RouteParts {
  readonly url: Resolvable<string | URL>;
  readonly headers: Resolvable<Headers>;
  readonly subprotocols: readonly string[];
  /** Whether the beat is offered. */
  readonly beat: boolean;
}

/** Makes the route of a client. */
export function routeTo({ url, headers, subprotocols, beat }: RouteParts): Route {
  const offered = beat ? withBeat(subprotocols) : subprotocols;
  if (typeof url !== 'function' && typeof headers !== 'function') {
    return fixedRoute({ url: String(url), headers, subprotocols: offered });
  }
  return new RenewedRoute({ url, headers, subprotocols: offered });
}

class FixedRoute implements Route {
  readonly fixed: DialTarget;

  constructor(fixed: DialTarget) {
    this.fixed = fixed;
  }

  get isRenewed(): boolean {
    return false;
  }

  target(): DialTarget {
    return this.fixed;
  }
}

/**
 * The last one: whoever makes a thousand clients of one peer makes them one after the other. Its URL and headers may hold
 * credentials, and end with the clients that have them.
 */
let latest: WeakRef<FixedRoute> | undefined;

function fixedRoute(target: DialTarget): FixedRoute {
  const last = latest?.deref();
  const isSame =
    last?.fixed.url === target.url &&
    last.fixed.headers === target.headers &&
    last.fixed.subprotocols === target.subprotocols;
  if (isSame) return last;
  const route = new FixedRoute(target);
  latest = new WeakRef(route);
  return route;
}

class RenewedRoute implements Route {
  readonly #parts: Omit<RouteParts, 'beat'>;

  constructor(parts: Omit<RouteParts, 'beat'>) {
    this.#parts = parts;
  }

  get isRenewed(): boolean {
    return true;
  }

  target(): DialTarget | Promise<DialTarget> {
    const url = resolve(this.#parts.url);
    const headers = resolve(this.#parts.headers);
    if (!isThenable(url) && !isThenable(headers)) return this.#make(url, headers);
    return Promise.all([url, headers]).then((known) => this.#make(...known));
  }

  #make(url: string | URL, headers: Headers): DialTarget {
    if (!areHeaders(headers)) throw new TypeError('headers must tell an object of strings');
    return { url: String(url), headers, subprotocols: this.#parts.subprotocols };
  }
}

/** What can be iterated over, a `Headers` of the web or a `Map`, would be taken for an object without any. */
export function areHeaders(value: unknown): value is Headers {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) return false;
  return Object.values(value).every((header) => typeof header === 'string');
}

function resolve<Value>(value: Resolvable<Value>): Value | PromiseLike<Value> {
  return typeof value === 'function' ? (value as () => Value | PromiseLike<Value>)() : value;
}

/** What a URL says of where it leads. */
interface TargetLocation {
  readonly address: string;
  readonly path: string;
}

/** What the connections to one target share. */
const locations = new WeakMap<DialTarget, TargetLocation>();

/** A URL that cannot be read has no place; the attempt will say so. */
export function locationOf(target: DialTarget): TargetLocation {
  const known = locations.get(target);
  if (known !== undefined) return known;
  const location = readLocation(target.url);
  locations.set(target, location);
  return location;
}

/** The host and the port of a URL, without its credentials. */
export function addressIn(url: string): string {
  return readLocation(url).address;
}

function readLocation(url: string): TargetLocation {
  if (!URL.canParse(url)) return { address: '', path: '' };
  const { host, pathname } = new URL(url);
  return { address: host, path: pathname };
}
