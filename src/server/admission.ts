import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RefusalAnswer } from '../core/failure.ts';
import { guarded } from '../core/guard.ts';
import { agreedSubprotocol } from '../core/subprotocol.ts';
import { excerptOf } from '../core/text.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import { AddressRates, addressIn, networkOf } from './address.ts';
import type { ResolvedOptions } from './options.ts';
import type { Registry } from './registry.ts';
import type { AnyReporter } from './report.ts';
import {
  askWith,
  type HeaderRule,
  hostRule,
  originRule,
  warnOfRebinding,
} from './request-headers.ts';
import type { SupervisorState } from './supervisor-types.ts';

/** Paths that are served; `undefined` for any. */
export type Paths = readonly string[] | undefined;

/** Whether a supervisor admits connections, and why not. */
export type AdmissionState = 'open' | 'suspended' | 'draining';

const RETRY_SOON = { 'Retry-After': '1' };
const RETRY_LATER = { 'Retry-After': '5' };
/** The answer to requests while the supervisor drains. */
export const drainingRefusal: RefusalAnswer = {
  cause: 'draining',
  status: 503,
  body: 'shutting down',
  headers: RETRY_LATER,
};
const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** One name of a list of subprotocols (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The options of admission. */
export type AdmissionRules = Pick<
  ResolvedOptions,
  'admission' | 'subprotocols' | 'unmatchedSubprotocols'
>;

/** A request, and what its supervisor serves. */
export interface Applicant {
  readonly request: IncomingMessage;
  /** The path of the request, as {@link requestPath} reads it. */
  readonly path: string;
  readonly paths: Paths;
  readonly state: AdmissionState;
}

/** Decides, before `authenticate` runs, whether an upgrade request may go on. */
export class Admission {
  readonly #rules: AdmissionRules;
  readonly #options: ResolvedOptions['admission'];
  readonly #registry: Registry;
  readonly #accepts: TokenBucket;
  readonly #addressRates: AddressRates;
  readonly #reporter: AnyReporter;
  readonly #isServed: HeaderRule | null;
  readonly #mayConnect: HeaderRule;

  constructor(rules: AdmissionRules, registry: Registry, reporter: AnyReporter, nowMs: number) {
    this.#rules = rules;
    this.#options = rules.admission;
    this.#registry = registry;
    const { hosts, origins } = this.#options;
    const ask = askWith((handler, error) => reporter.errored(handler, error));
    this.#isServed = hosts === undefined ? null : hostRule(hosts, ask);
    this.#mayConnect = originRule(origins, ask);
    const perSecond = this.#options.acceptsPerSecondMax;
    this.#accepts = new TokenBucket({ perSecond, burst: 2 * perSecond }, nowMs);
    // Half of rate and burst, so that one address cannot keep all others out.
    this.#addressRates = new AddressRates({ perSecond: perSecond / 2, burst: perSecond }, nowMs);
    this.#reporter = reporter;
  }

  /** Judges the request itself. Returns the refusal, or `null`. */
  judge({ request, path, paths, state }: Applicant): RefusalAnswer | null {
    return (
      stateRefusal(state) ??
      requestRefusal(request) ??
      pathRefusal(path, paths) ??
      this.#hostRefusal(request) ??
      this.#originRefusal(request) ??
      this.#subprotocolRefusal(request)
    );
  }

  /** Judges the load. Returns the refusal, or `null`. Comes last, so that a wrong request uses up no limit. */
  judgeLoad(address: string, socket: Socket, nowMs: number): RefusalAnswer | null {
    const { connectionsMax, ipv6PrefixBits } = this.#options;
    const isProxy = this.#isProxy(address, socket);
    if (this.#registry.connections.size >= connectionsMax) {
      return refusal('connections-max', [503, 'too many connections'], RETRY_LATER);
    }
    if (this.#registry.fromAddress(address) >= this.#addressMax(isProxy)) {
      return refusal('address-max', [429, 'too many connections from this address'], RETRY_LATER);
    }
    if (!this.#accepts.has(nowMs)) {
      return refusal('accept-rate', [503, 'too many connections at once'], RETRY_SOON);
    }
    // After the check of the total rate, which bounds how many addresses are remembered.
    if (!isProxy && !this.#addressRates.take(networkOf(address, ipv6PrefixBits), nowMs)) {
      const body = 'too many connections at once from this address';
      return refusal('address-rate', [429, body], RETRY_SOON);
    }
    this.#accepts.take(nowMs);
    return null;
  }

  /** The address of a client: the result of `addressOf`, or else the address of the TCP connection. */
  addressOf(request: IncomingMessage, socket: Socket): string {
    const { addressOf } = this.#options;
    const read =
      addressOf &&
      guarded(
        () => addressOf(request),
        (error) => this.#reporter.errored('addressOf', error),
      );
    return addressIn(typeof read === 'string' && read !== '' ? read : (socket.remoteAddress ?? ''));
  }

  /**
   * Whether it is the address of a proxy, which has many clients behind it.
   *
   * A service that sets `addressOf` is behind proxies. A client that bypasses them can forge its address anyway, so it gains
   * nothing here.
   */
  #isProxy(address: string, socket: Socket): boolean {
    const { addressOf } = this.#options;
    return addressOf !== undefined && address === addressIn(socket.remoteAddress ?? '');
  }

  #addressMax(isProxy: boolean): number {
    const { connectionsMax, connectionsPerAddressMax } = this.#options;
    if (isProxy) return connectionsPerAddressMax;
    return Math.min(connectionsPerAddressMax, Math.max(1, Math.floor(connectionsMax / 2)));
  }

  #hostRefusal(request: IncomingMessage): RefusalAnswer | null {
    const { host = '' } = request.headers;
    if (this.#isServed?.(host, request) !== false) return null;
    const refused = { host: excerptOf(host), option: 'admission.hosts' };
    return { ...refusal('wrong-host', [403, 'this host is not served']), refused };
  }

  #originRefusal(request: IncomingMessage): RefusalAnswer | null {
    const { origin, host = '' } = request.headers;
    if (origin === undefined) return null;
    const { addressOf, origins } = this.#options;
    // There is no such danger behind a proxy, which serves only known names.
    const mayBeRebound = this.#isServed === null && addressOf === undefined && origins === 'same';
    if (mayBeRebound) warnOfRebinding(request);
    if (this.#mayConnect(origin, request)) return null;
    const option = 'admission.origins';
    const refused = { origin: excerptOf(origin), host: excerptOf(host), option };
    return { ...refusal('wrong-origin', [403, 'this origin may not connect']), refused };
  }

  /** Leaves a header that is not a list of distinct names to ws, which refuses it. */
  #subprotocolRefusal({ headers }: IncomingMessage): RefusalAnswer | null {
    const { subprotocols, unmatchedSubprotocols } = this.#rules;
    const offered = headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
    if (offered === undefined || unmatchedSubprotocols === 'open') return null;
    const names = new Set(offered);
    if (agreedSubprotocol(names, subprotocols) !== false) return null;
    if (names.size < offered.length || !offered.every((name) => TOKEN.test(name))) return null;
    const [theirs, ours] = [offered, subprotocols].map((list) => excerptOf(list.join(', ')));
    const supported = ours === '' ? 'none' : ours;
    const body = `no subprotocol in common; offered: ${theirs}; supported: ${supported}`;
    return refusal('wrong-subprotocol', [400, body]);
  }
}

/** The path of a request without its query. The request may have an absolute URI (RFC 9112 §3.2.2). */
export function requestPath({ url = '/' }: IncomingMessage): string {
  const target = url.startsWith('/') || !URL.canParse(url) ? url : new URL(url).pathname;
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

function pathRefusal(path: string, paths: Paths): RefusalAnswer | null {
  if (paths === undefined || paths.includes(path)) return null;
  return refusal('wrong-path', [404, 'no WebSocket here']);
}

/** The refusal of a supervisor that admits no connections; `null` if it does admit them. */
export function stateRefusal(state: AdmissionState): RefusalAnswer | null {
  switch (state) {
    case 'open':
      return null;
    case 'suspended':
      return refusal('suspended', [503, 'not accepting connections right now'], RETRY_LATER);
    case 'draining':
      return drainingRefusal;
  }
}

/** Checks the opening handshake (RFC 6455 §4.2.1). Node.js reads a request line without a version as HTTP/0.9. */
function requestRefusal({ method, headers, httpVersion }: IncomingMessage): RefusalAnswer | null {
  if (Number(httpVersion) < 1.1 || headers.host === undefined) {
    return refusal('bad-request', [400, 'use HTTP/1.1 with a Host header']);
  }
  if (method !== 'GET') return refusal('wrong-method', [405, 'use GET'], { Allow: 'GET' });
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    return refusal('bad-request', [426, 'upgrade to websocket'], { Upgrade: 'websocket' });
  }
  if (headers['sec-websocket-version'] !== '13') {
    const version = { Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };
    return refusal('wrong-version', [426, 'only WebSocket version 13 is supported'], version);
  }
  const key = headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key)) {
    return refusal('bad-request', [400, 'missing or invalid Sec-WebSocket-Key header']);
  }
  return null;
}

/** Makes a refusal from its status and the text of its body. */
function refusal(
  cause: RefusalAnswer['cause'],
  [status, body]: readonly [number, string],
  headers: Readonly<Record<string, string>> = {},
): RefusalAnswer {
  return { cause, status, body, headers };
}

/** Whether a supervisor in this state admits connections. */
export function admissionStateOf(state: SupervisorState): AdmissionState {
  switch (state) {
    case 'admitting':
      return 'open';
    case 'suspended':
      return 'suspended';
    case 'draining':
    case 'stopped':
      return 'draining';
  }
}
