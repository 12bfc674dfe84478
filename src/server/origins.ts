import type { IncomingMessage } from 'node:http';
import { excerptOf } from '../core/text.ts';
import type { Ask, HeaderRule } from './header-rule.ts';
import { hostOf } from './hosts.ts';

/** Which pages may connect; see `admission.origins`. */
export type AllowedOrigins =
  | 'same'
  | 'any'
  | '*'
  | readonly string[]
  | ((origin: string, request: IncomingMessage) => boolean);

/** A scheme, and a host with or without a port. A trailing slash is no path. */
const SHAPE = /^([a-z][a-z0-9+.-]*):\/\/([^\s/\\?#@]*)\/?$/i;

/** What an entry of a list is made of: scheme, the rest of what an origin has, and what no origin has. */
const PARTS = /^([a-z][a-z0-9+.-]*:\/\/)([^/\\?#]*)(.*)$/is;

/** A wildcard for the first names of a host, with or without a port. */
const WILDCARD = /^\*\.[^*.][^*]*$/;

/** Pages have no other origin than these two, besides those of apps and extensions. */
const WEB: ReadonlySet<string> = new Set(['http', 'https']);

/** What a browser sends for a page without an origin of its own: a sandboxed frame, a local file. */
const OPAQUE = 'null';

/**
 * An origin as browsers send it (RFC 6454 §6.2): in lower case, an international name in its ASCII form, without the
 * port that the scheme implies; `undefined` for text that is no origin.
 */
export function originOf(text: string): string | undefined {
  if (text === OPAQUE) return OPAQUE;
  const [, scheme = '', host = ''] = SHAPE.exec(text) ?? [];
  const named = `${scheme.toLowerCase()}://${host.toLowerCase()}`;
  if (scheme === '') return undefined;
  if (!WEB.has(scheme.toLowerCase())) return named;
  return URL.canParse(named) ? new URL(named).origin : undefined;
}

/** Makes the rule that `admission.origins` stands for. */
export function originRule(origins: AllowedOrigins, ask: Ask): HeaderRule {
  if (typeof origins === 'function') {
    return (origin, request) => ask('origins', () => origins(origin, request));
  }
  if (origins === 'same') return isSameOrigin;
  if (origins === 'any' || origins === '*') return () => true;
  const list = new OriginList(origins);
  return (origin) => list.has(origin);
}

/**
 * An origin is the same when it names the host and the port that the request was sent to (RFC 6454 §4).
 *
 * The scheme is judged only where it is known: a server without TLS may stand behind a proxy that has it.
 */
function isSameOrigin(text: string, { headers: { host = '' }, socket }: IncomingMessage): boolean {
  const origin = originOf(text);
  const [scheme] = /^https?:/.exec(origin ?? '') ?? [];
  if (scheme === undefined || hostOf(host) === undefined) return false;
  if (scheme === 'http:' && 'encrypted' in socket) return false;
  return origin === originOf(`${scheme}//${host}`);
}

/** A list of origins that may connect; `*` is any, `https://*.example.com` every name below `example.com`. */
export class OriginList {
  readonly #exact: ReadonlySet<string>;
  /** What an origin begins with, and what it ends with. */
  readonly #wildcards: readonly (readonly [string, string])[];
  readonly #isAny: boolean;

  constructor(entries: readonly string[]) {
    const origins = entries.flatMap((entry) => originOf(entry) ?? []);
    this.#isAny = entries.includes('*');
    this.#exact = new Set(origins.filter((origin) => !origin.includes('*')));
    this.#wildcards = origins
      .filter((origin) => origin.includes('*'))
      .map((origin) => origin.split('*') as [string, string]);
  }

  has(text: string): boolean {
    if (this.#isAny || this.#exact.has(text)) return true;
    const origin = originOf(text);
    if (origin === undefined) return false;
    if (this.#exact.has(origin)) return true;
    return this.#wildcards.some(
      ([head, tail]) =>
        origin.startsWith(head) &&
        origin.endsWith(tail) &&
        origin.length > head.length + tail.length,
    );
  }
}

/** Why no browser can ever send this entry of a list as its origin; `undefined` when one can. */
export function originFault(entry: string): string | undefined {
  if (entry === '*' || entry === OPAQUE) return undefined;
  if (entry === 'same' || entry === 'any') {
    return `must stand alone and not in a list; a function can combine '${entry}' with others`;
  }
  const [, scheme, authority = '', rest = ''] = PARTS.exec(entry) ?? [];
  if (scheme === undefined) return `must begin with a scheme${example(`https://${entry}`)}`;
  if (/^wss?:/i.test(scheme)) {
    // Browsers send the origin of the page, and no page has such a scheme.
    return `must name the page, not the WebSocket${example(entry.replace(/^ws/i, 'http'))}`;
  }
  if (authority.includes('@')) return 'must have no user name';
  if (rest.length > 1) {
    return `must consist of scheme, host and port${example(`${scheme}${authority}`)}`;
  }
  if (authority.includes('*') && !WILDCARD.test(authority)) {
    return "must have no wildcard but one for whole names, as in 'https://*.example.com'";
  }
  return originOf(entry) === undefined ? "must look like 'https://example.com'" : undefined;
}

/** How to write it instead, where that would do. */
function example(instead: string): string {
  return originFault(instead) === undefined ? `: write '${excerptOf(instead)}'` : '';
}
