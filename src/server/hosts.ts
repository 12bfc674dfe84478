import type { IncomingMessage } from 'node:http';
import { excerptOf } from '../core/text.ts';
import type { Ask, HeaderRule } from './header-rule.ts';

/** Which Host headers are served; see `admission.hosts`. */
export type AllowedHosts =
  | '*'
  | readonly string[]
  | ((host: string, request: IncomingMessage) => boolean);

/** What a Host header says. */
export interface Host {
  /** In lower case; an international name in its ASCII form, an IPv6 address in brackets and its one spelling. */
  readonly name: string;
  /** As written; empty where the port is the one that the scheme implies. */
  readonly port: string;
}

/** Characters that would end the host in a URL, or that a URL leaves out. */
const FOREIGN = /[\s/\\?#@]/;

/** A wildcard for the first names of a host, with or without a port. */
const WILDCARD = /^\*\.[^*.:][^*]*$/;

/** The ports that browsers leave out. Behind a proxy that ends TLS it is not known which of the two it was. */
const IMPLIED: ReadonlySet<string> = new Set(['80', '443']);

/** Reads a Host header (RFC 9110 §7.2); `undefined` for text that names no host. */
export function hostOf(text: string): Host | undefined {
  const url = `http://${text}`;
  if (FOREIGN.test(text) || !URL.canParse(url)) return undefined;
  const [, port = ''] = /:(\d*)$/.exec(text) ?? [];
  return { name: new URL(url).hostname, port: port.replace(/^0+(?=\d)/, '') };
}

/** Makes the rule that `admission.hosts` stands for. */
export function hostRule(hosts: AllowedHosts, ask: Ask): HeaderRule {
  if (typeof hosts === 'function')
    return (host, request) => ask('hosts', () => hosts(host, request));
  if (hosts === '*') return () => true;
  const list = new HostList(hosts);
  return (host, { socket }) => list.has(host, 'encrypted' in socket);
}

/**
 * A list of hosts that are served; `*` is any, `*.example.com` every name below `example.com`. One without a port
 * stands for all ports.
 */
export class HostList {
  readonly #exact: ReadonlySet<string>;
  /** How names end, and their port. */
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

/** Why no browser can ever send this entry of a list as its Host; `undefined` when one can. */
export function hostFault(entry: string): string | undefined {
  const named = hostOf(entry);
  if (entry === '*' || named?.name.includes('*') === false) return undefined;
  const [authority = ''] = entry.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').split(/[/\\?#]/);
  if (authority.includes('@')) return 'must have no user name';
  if (authority !== entry)
    return `must consist of a name, or a name and a port${example(authority)}`;
  if (entry.includes('*')) {
    return WILDCARD.test(entry)
      ? undefined
      : "must have no wildcard but one for whole names, as in '*.example.com'";
  }
  return `must consist of a name, or a name and a port${example(`[${entry}]`)}`;
}

/** How to write it instead, where that would do. */
function example(instead: string): string {
  return hostOf(instead)?.name.includes('*') === false ? `: write '${excerptOf(instead)}'` : '';
}

/** Whether only this machine has the name (RFC 6761 §6.3), or whether it is no name but an address. */
export function isLocalOrAddress({ name }: Host): boolean {
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name.startsWith('[') ||
    /^[\d.]+$/.test(name)
  );
}
