import type { IncomingMessage } from 'node:http';
import { guarded, type HandlerName, ignoreRejection } from '../core/guard.ts';
import type { Report, Rule } from '../core/option-rules.ts';
import { excerptOf } from '../core/text.ts';
import { warnOnce } from '../core/warnings.ts';
import { anyOf, kindOf, suggestion } from '../core/wording.ts';
import { addressIn, isLoopback } from './address.ts';

/** Whether a request with this value of a header may connect. */
export type HeaderRule = (value: string, request: IncomingMessage) => boolean;

/** Calls a rule of the application. A rule that throws, or returns anything but `true`, refuses. */
export type Ask = (handler: HandlerName, call: () => unknown) => boolean;

/** Makes an {@link Ask} that calls rules behind a guard. */
export function askWith(report: (handler: HandlerName, error: Error) => void): Ask {
  return (handler, call) =>
    guarded(
      () => checkedAnswer(handler, call()),
      (error) => report(handler, error),
    ) === true;
}

/** Refuses a promise, which would count as `true` in a condition. */
function checkedAnswer(handler: HandlerName, answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer;
  ignoreRejection(answer);
  throw new TypeError(`${handler} must return a boolean, not ${kindOf(answer)}`);
}

/** Suggests what a single text was meant to be: one of the words, or a list with this entry. */
function hintFor(value: unknown, words: readonly string[]): string {
  if (typeof value !== 'string' || value === '') return '';
  return suggestion(value, words, "'") || '; put it in a list';
}

/** The rule for an option that is one of a few words, a function, or a list whose entries have no fault. */
export function headerRule<Value>(
  usual: Value,
  words: readonly string[],
  faultOf: (entry: string) => string | undefined,
): Rule<Value> {
  const expected = anyOf([...words.map((word) => `'${word}'`), 'a list', 'a function']);
  const faultIn = (entry: unknown) => {
    const isText = typeof entry === 'string' && entry !== '';
    return isText ? faultOf(entry) : `must be text, not ${kindOf(entry)}`;
  };
  return (given = usual, report) => {
    if (Array.isArray(given)) return checkedList(given, faultIn, report) as Value;
    const isKnown =
      given === usual || typeof given === 'function' || words.includes(given as string);
    if (!isKnown) report(`must be ${expected}, not ${kindOf(given)}${hintFor(given, words)}`);
    return given as Value;
  };
}

function checkedList(
  given: readonly unknown[],
  faultIn: (entry: unknown) => string | undefined,
  report: Report,
): readonly unknown[] {
  for (const [index, entry] of given.entries()) {
    const fault = faultIn(entry);
    if (fault !== undefined) report(fault, index);
  }
  return given;
}

/** Which Host headers are served; see `admission.hosts`. */
export type AllowedHosts =
  | '*'
  | readonly string[]
  | ((host: string, request: IncomingMessage) => boolean);

/** The parts of a Host header. */
export interface Host {
  /** In lower case; an international name in its ASCII form, an IPv6 address in brackets and canonical. */
  readonly name: string;
  /** As written; empty if there is none. */
  readonly port: string;
}

/** Characters that would end the host in a URL, or that a URL leaves out. */
const FOREIGN = /[\s/\\?#@]/;

/** A wildcard for the first names of a host, with or without a port. */
const HOST_WILDCARD = /^\*\.[^*.:][^*]*$/;

/** The ports that browsers leave out. Behind a proxy that ends TLS, it is unknown which of them is meant. */
const IMPLIED: ReadonlySet<string> = new Set(['80', '443']);

/** Reads a Host header (RFC 9110 §7.2); `undefined` for text that names no host. */
export function hostOf(text: string): Host | undefined {
  const url = `http://${text}`;
  if (FOREIGN.test(text) || !URL.canParse(url)) return undefined;
  const [, port = ''] = /:(\d*)$/.exec(text) ?? [];
  return { name: new URL(url).hostname, port: port.replace(/^0+(?=\d)/, '') };
}

/** Makes the rule of `admission.hosts`. */
export function hostRule(hosts: AllowedHosts, ask: Ask): HeaderRule {
  if (typeof hosts === 'function')
    return (host, request) => ask('hosts', () => hosts(host, request));
  if (hosts === '*') return () => true;
  const list = new HostList(hosts);
  return (host, { socket }) => list.has(host, 'encrypted' in socket);
}

/**
 * A list of hosts that are served: `*` is any, `*.example.com` is every name below `example.com`. An entry without a
 * port matches all ports.
 */
export class HostList {
  readonly #exact: ReadonlySet<string>;
  /** The endings of names, with their port. */
  readonly #wildcards: readonly Host[];
  readonly #isAny: boolean;

  constructor(entries: readonly string[]) {
    const hosts = entries.flatMap((entry) => hostOf(entry) ?? []);
    this.#isAny = entries.includes('*');
    const isWildcard = ({ name }: Host) => name.startsWith('*.');
    this.#exact = new Set(hosts.filter((host) => !isWildcard(host)).map(textOf));
    this.#wildcards = hosts.filter(isWildcard).map(({ name, port }) => {
      return { name: name.slice(1), port };
    });
  }

  has(text: string, isSecure: boolean): boolean {
    if (this.#isAny) return true;
    const host = hostOf(text);
    if (host === undefined) return false;
    const { name } = host;
    const ports = [...portsOf(host, isSecure), ''];
    return (
      ports.some((port) => this.#exact.has(textOf({ name, port }))) ||
      this.#wildcards.some((listed) => {
        const isBelow = name.length > listed.name.length && name.endsWith(listed.name);
        return isBelow && ports.includes(listed.port);
      })
    );
  }
}

/** The ports that a Host header may stand for. */
function portsOf({ port }: Host, isSecure: boolean): Iterable<string> {
  if (port !== '') return [port];
  return isSecure ? ['443'] : IMPLIED;
}

function textOf({ name, port }: Host): string {
  return port === '' ? name : `${name}:${port}`;
}

/** Explains why no browser sends this entry of a list as its Host; `undefined` if one can. */
export function hostFault(entry: string): string | undefined {
  const named = hostOf(entry);
  if (entry === '*' || named?.name.includes('*') === false) return undefined;
  const [authority = ''] = entry.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').split(/[/\\?#]/);
  if (authority.includes('@')) return 'must have no user name';
  if (authority !== entry)
    return `must consist of a name, or a name and a port${hostExample(authority)}`;
  if (entry.includes('*')) {
    return HOST_WILDCARD.test(entry)
      ? undefined
      : "may have only one wildcard, for whole names, as in '*.example.com'";
  }
  return `must consist of a name, or a name and a port${hostExample(`[${entry}]`)}`;
}

/** Shows how to write the entry instead, if that is valid. */
function hostExample(instead: string): string {
  return hostOf(instead)?.name.includes('*') === false ? `: write '${excerptOf(instead)}'` : '';
}

/** Whether the name exists only on this machine (RFC 6761 §6.3), or is an address. */
export function isLocalOrAddress({ name }: Host): boolean {
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name.startsWith('[') ||
    /^[\d.]+$/.test(name)
  );
}

/** Which pages may connect; see `admission.origins`. */
export type AllowedOrigins =
  | 'same'
  | 'any'
  | '*'
  | readonly string[]
  | ((origin: string, request: IncomingMessage) => boolean);

/** A scheme, and a host with or without a port. A trailing slash does not count as a path. */
const SHAPE = /^([a-z][a-z0-9+.-]*):\/\/([^\s/\\?#@]*)\/?$/i;

/** The parts of an entry: scheme, authority, and a rest that no origin has. */
const PARTS = /^([a-z][a-z0-9+.-]*:\/\/)([^/\\?#]*)(.*)$/is;

/** A wildcard for the first names of a host, with or without a port. */
const ORIGIN_WILDCARD = /^\*\.[^*.][^*]*$/;

/** The schemes of pages. Apps and extensions have others. */
const WEB: ReadonlySet<string> = new Set(['http', 'https']);

/** The origin that a browser sends for a page without one, such as a sandboxed frame or a local file. */
const OPAQUE = 'null';

/**
 * An origin as browsers send it (RFC 6454 §6.2): in lower case, an international name in its ASCII form, without the port that
 * the scheme implies; `undefined` for text that is not an origin.
 */
export function originOf(text: string): string | undefined {
  if (text === OPAQUE) return OPAQUE;
  const [, scheme = '', host = ''] = SHAPE.exec(text) ?? [];
  const named = `${scheme.toLowerCase()}://${host.toLowerCase()}`;
  if (scheme === '') return undefined;
  if (!WEB.has(scheme.toLowerCase())) return named;
  return URL.canParse(named) ? new URL(named).origin : undefined;
}

/** Makes the rule of `admission.origins`. */
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
 * The scheme is compared only if it is known: a server without TLS may be behind a proxy that ends TLS.
 */
function isSameOrigin(text: string, { headers: { host = '' }, socket }: IncomingMessage): boolean {
  const origin = originOf(text);
  const [scheme] = /^https?:/.exec(origin ?? '') ?? [];
  if (scheme === undefined || hostOf(host) === undefined) return false;
  if (scheme === 'http:' && 'encrypted' in socket) return false;
  return origin === originOf(`${scheme}//${host}`);
}

/** A list of origins that may connect: `*` is any, `https://*.example.com` is every name below `example.com`. */
export class OriginList {
  readonly #exact: ReadonlySet<string>;
  /** The beginning and the end of an origin. */
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

/** Explains why no browser sends this entry of a list as its origin; `undefined` if one can. */
export function originFault(entry: string): string | undefined {
  if (entry === '*' || entry === OPAQUE) return undefined;
  if (entry === 'same' || entry === 'any') {
    return `must stand alone, not in a list; use a function to combine '${entry}' with others`;
  }
  const [, scheme, authority = '', rest = ''] = PARTS.exec(entry) ?? [];
  if (scheme === undefined) return `must begin with a scheme${originExample(`https://${entry}`)}`;
  if (/^wss?:/i.test(scheme)) {
    // Browsers send the origin of the page, which never has such a scheme.
    return `must name the page, not the WebSocket${originExample(entry.replace(/^ws/i, 'http'))}`;
  }
  if (authority.includes('@')) return 'must have no user name';
  if (rest.length > 1) {
    return `must consist of scheme, host and port${originExample(`${scheme}${authority}`)}`;
  }
  if (authority.includes('*') && !ORIGIN_WILDCARD.test(authority)) {
    return "may have only one wildcard, for whole names, as in 'https://*.example.com'";
  }
  return originOf(entry) === undefined ? "must look like 'https://example.com'" : undefined;
}

/** Shows how to write the entry instead, if that is valid. */
function originExample(instead: string): string {
  return originFault(instead) === undefined ? `: write '${excerptOf(instead)}'` : '';
}

/**
 * Warns if a page connects to a loopback address under a name that is not local.
 *
 * A foreign site may have pointed its own name at 127.0.0.1, which bypasses every firewall. Then its pages have the same
 * origin (DNS rebinding). If a proxy on this machine forwards Host, the name is the public name of the service instead.
 */
export function warnOfRebinding({ headers, socket }: IncomingMessage): void {
  const host = hostOf(headers.host ?? '');
  if (host === undefined || isLocalOrAddress(host)) return;
  if (!isLoopback(addressIn(socket.localAddress ?? ''))) return;
  warnOnce(
    'MOORING_DNS_REBINDING',
    `a page connected to a loopback address under the name ${excerptOf(host.name)}. Set admission.hosts to the names that you ` +
      'serve: without it, a foreign site that points its own name at this machine has the same origin (DNS rebinding)',
  );
}
