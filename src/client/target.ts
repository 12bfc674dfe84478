import { withBeat } from '../core/beat.ts';
import { isThenable } from '../core/guard.ts';
import type { DialTarget } from './dialed-wire.ts';

/** A value, or a function that tells it anew for each attempt, at once or later. */
export type Renewable<Value> = Value | (() => Value | PromiseLike<Value>);

/** Headers of an upgrade request. */
export type Headers = Readonly<Record<string, string>>;

/** Tells where an attempt goes. May throw or reject. */
export type TargetSource = () => DialTarget | Promise<DialTarget>;

/** What a target is made of. */
export interface TargetParts {
  readonly url: Renewable<string | URL>;
  readonly headers: Renewable<Headers>;
  readonly subprotocols: readonly string[];
  /** Whether the beat is offered. */
  readonly beat: boolean;
}

/** Where the attempts of a client go. */
export interface Route {
  readonly target: TargetSource;
  /** Whether a 401 may be another answer next time. */
  readonly isRenewed: boolean;
}

/** Puts the target of each attempt together. */
export function routeTo({ url, headers, subprotocols, beat }: TargetParts): Route {
  const offered = beat ? withBeat(subprotocols) : subprotocols;
  const make = (known: string | URL, sent: Headers): DialTarget => ({
    url: String(known),
    headers: checkedHeaders(sent),
    subprotocols: offered,
  });
  const target = () => {
    const [known, sent] = [told(url), told(headers)];
    if (!isThenable(known) && !isThenable(sent)) return make(known, sent);
    return Promise.all([known, sent]).then(([later, laterSent]) => make(later, laterSent));
  };
  return { target, isRenewed: typeof url === 'function' || typeof headers === 'function' };
}

export function areHeaders(value: unknown): value is Headers {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((header) => typeof header === 'string');
}

function told<Value>(value: Renewable<Value>): Value | PromiseLike<Value> {
  return typeof value === 'function' ? (value as () => Value | PromiseLike<Value>)() : value;
}

function checkedHeaders(headers: unknown): Headers {
  if (areHeaders(headers)) return headers;
  throw new TypeError('headers must tell an object of strings');
}

/** A URL that cannot be read has no place; the attempt will say so. */
export function placeOf(url: string): { address: string; path: string } {
  if (!URL.canParse(url)) return { address: '', path: '' };
  const { host, pathname } = new URL(url);
  return { address: host, path: pathname };
}
