import { ignoreRejection, isThenable } from '../../core/guard.ts';
import {
  type Destination,
  type Directions,
  FixedRoute,
  type Resolvable,
  type Route,
  routeTo,
} from './route.ts';

/** Headers of an upgrade request. */
export type Headers = Readonly<Record<string, string>>;

/** What a client in Node.js was given to find its peer. A page cannot set headers. */
export interface NodeDirections extends Directions {
  readonly headers: Resolvable<Headers>;
}

/** Makes the route of a client in Node.js. */
export function routeWithHeaders({ headers, ...directions }: NodeDirections): Route {
  const route = routeTo(directions);
  if (typeof headers === 'function') return new HeaderRoute(route, headers);
  if (!(route instanceof FixedRoute)) return new HeaderRoute(route, () => headers);
  return new FixedRoute({ ...route.destination, headers });
}

/** Asks for headers for each attempt, or for where it goes, or for both at once. */
class HeaderRoute implements Route {
  readonly #route: Route;
  readonly #headers: () => Headers | PromiseLike<Headers>;

  constructor(route: Route, headers: () => Headers | PromiseLike<Headers>) {
    this.#route = route;
    this.#headers = headers;
  }

  get isRenewed(): boolean {
    return true;
  }

  target(): Destination | Promise<Destination> {
    const there = this.#route.target();
    const headers = this.#headersBeside(there);
    if (!isThenable(there) && !isThenable(headers)) return withHeaders(there, headers);
    return Promise.all([there, headers]).then((known) => withHeaders(...known));
  }

  /** If this throws, nobody waits for the target any more. */
  #headersBeside(there: Destination | Promise<Destination>): Headers | PromiseLike<Headers> {
    try {
      return this.#headers();
    } catch (thrown) {
      ignoreRejection(there);
      throw thrown;
    }
  }
}

function withHeaders(there: Destination, headers: Headers): Destination {
  if (!areHeaders(headers)) throw new TypeError('headers must be an object of strings');
  return { ...there, headers };
}

/** What can be iterated over, a `Headers` of the web or a `Map`, would be taken for an object without any. */
export function areHeaders(value: unknown): value is Headers {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) return false;
  return Object.values(value).every((header) => typeof header === 'string');
}
